"""Caches in this process what MLflow's basic authentication reads for each request. Users and grants: for READ_SECONDS.

Without it a request reads users and grants from the database about five times. Cached values can only allow a request: if they would
deny it, the decision is made again from the database, so a new grant takes effect immediately in every process. Each write to the users'
database in this process clears the cache, so other changes take effect immediately in this process, and in others after READ_SECONDS.

If a release of MLflow no longer has the functions that are replaced here, the server does not start.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from types import SimpleNamespace
from typing import Any

#: How long a change by another process can have no effect.
READ_SECONDS = 5.0
#: How long the experiment of a run is cached.
RUN_SECONDS = 600.0
CACHE_SIZE = 4096
#: Rows of lists that are hidden from their users.
HIDDEN = 16384

#: The reads of grants: that of MLflow 3.17, and that of 3.16. The id of the user comes first.
GRANTS = ("list_grants", "get_role_permission_for_resource")

#: Prefixes of the methods of MLflow's store that change nothing. All others are treated as writes.
READERS = ("get_", "list_", "has_", "is_", "user_has_", "authenticate_user")


class Stale(Exception):
    """A cached value contradicts the database. The decision is made again without the cache."""


@dataclass
class Decision:
    """One decision whether a request is allowed."""

    #: Whether it used a cached value.
    uses_memory: bool = False
    #: The names of the users whose grants are read, by their ids.
    names: dict[int, str] = field(default_factory=dict)


#: None: outside a decision, everything is read from the database.
current: ContextVar[Decision | None] = ContextVar("decision", default=None)


class Memory:
    """A cache with a time to live and a maximum size, without values from before the last write."""

    def __init__(self, seconds: float, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        #: How many writes there were.
        self.writes = 0
        #: Caches that are cleared with this one.
        self.dependents: list[Memory] = []

    def now(self) -> float:
        return self._clock()

    def clear(self) -> None:
        with self._lock:
            self.writes += 1
            self._entries.clear()
        for each in self.dependents:
            each.clear()

    def get(self, key: Hashable) -> Any:
        with self._lock:
            until, value = self._entries.get(key, (0.0, None))
            return value if self._clock() < until else None

    def put(self, key: Hashable, value: Any, writes: int, read_at: float) -> None:
        """Caches a value that was read after `writes` writes, unless there was another write since."""
        with self._lock:
            if writes != self.writes:
                return
            self._entries[key] = (read_at + self.seconds, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def read(self, key: Hashable, read: Callable[[], Any]) -> Any:
        """Returns the cached value, otherwise reads it. Caches only within a decision."""
        decision = current.get()
        if decision is None:
            return read()
        if (known := self.get(key)) is not None:
            decision.uses_memory = True
            return known
        writes, read_at = self.writes, self._clock()
        value = read()
        self.put(key, value, writes, read_at)
        return value


class Users:
    """MLflow's store of users, with cached reads for decisions. It is changed in place, because other code has references to it."""

    def __init__(self, store: Any, memory: Memory) -> None:
        self._memory = memory
        self._get_user = store.get_user
        self._has_user = store.has_user
        for name in dir(type(store)):
            method = getattr(store, name)
            if callable(method) and not name.startswith(("_", *READERS)):
                setattr(store, name, self._writing(method))
        store.get_user = self.get_user
        store.has_user = self.has_user
        reads = [name for name in GRANTS if callable(getattr(store, name, None))]
        if not reads:
            raise RuntimeError("This MLflow reads grants in another way. Removed grants would be cached.")
        for name in reads:
            setattr(store, name, self._granting(name, getattr(store, name)))

    def _writing(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def written(*args: Any, **named: Any) -> Any:
            try:
                return method(*args, **named)
            finally:
                self._memory.clear()

        return written

    def get_user(self, username: str) -> Any:
        user = self._memory.read(("user", username), lambda: self._get_user(username))
        if (decision := current.get()) is not None:
            decision.names[user.id] = username
        return user

    def has_user(self, username: str, **options: Any) -> bool:
        # None, which is not cached: another process may make the user at any time.
        return bool(self._memory.read(("has", username, *options), lambda: self._has_user(username, **options) or None))

    def _granting(self, name: str, grants: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(grants)
        def read(user_id: int, *args: Any, **named: Any) -> Any:
            decision = current.get()
            username = decision and decision.names.get(user_id)
            if username is None:
                return grants(user_id, *args, **named)

            def fresh() -> Any:
                found = grants(user_id, *args, **named)
                # The user was perhaps read some seconds ago, and a database may give the id of a deleted user to a new one.
                if self._get_user(username).id != user_id:
                    raise Stale
                return found

            # The name too: two users may have had one id within that time.
            named_values = ((each, frozen(value)) for each, value in sorted(named.items()))
            return self._memory.read((name, username, user_id, *map(frozen, args), *named_values), fresh)

        return read


def frozen(value: Any) -> Hashable:
    """The value as part of a key; equal sets make equal keys."""
    found: Hashable = frozenset(value) if isinstance(value, (set, list)) else value
    return found


@contextmanager
def deciding() -> Iterator[Decision]:
    decision = Decision()
    token = current.set(decision)
    try:
        yield decision
    finally:
        current.reset(token)


@contextmanager
def reading() -> Iterator[None]:
    """Reads everything from the database."""
    token = current.set(None)
    try:
        yield
    finally:
        current.reset(token)


def decided(decide: Callable[..., Any], allows: Callable[[Any], bool]) -> Callable[..., Any]:
    """Returns the decision function with a cache. A denial is always decided by the database."""

    @functools.wraps(decide)
    def run(*args: Any, **named: Any) -> Any:
        with deciding() as decision:
            try:
                answer = decide(*args, **named)
            except Exception:
                if not decision.uses_memory:
                    raise
            else:
                if allows(answer) or not decision.uses_memory:
                    return answer
        return decide(*args, **named)

    return run


def decided_later(decide: Callable[..., Awaitable[bool]]) -> Callable[..., Awaitable[bool]]:
    """The same for an asynchronous decision."""

    async def run(*args: Any, **named: Any) -> bool:
        with deciding() as decision:
            try:
                is_allowed = await decide(*args, **named)
            except Exception:
                if not decision.uses_memory:
                    raise
            else:
                if is_allowed or not decision.uses_memory:
                    return is_allowed
        return await decide(*args, **named)

    return run


class Turns:
    """Serializes calls with the same key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[Hashable, tuple[threading.Lock, int]] = {}

    @contextmanager
    def of(self, key: Hashable) -> Iterator[None]:
        with self._lock:
            turn, count = self._turns.get(key, (threading.Lock(), 0))
            self._turns[key] = (turn, count + 1)
        try:
            with turn:
                yield
        finally:
            with self._lock:
                _, count = self._turns[key]
                if count == 1:
                    del self._turns[key]
                else:
                    self._turns[key] = (turn, count - 1)


def once_at_a_time(auth: Any, memory: Memory) -> Callable[[str, str], Any]:
    """Returns MLflow's check of a password with its cache, so that concurrent checks of one credential compute one hash, and a write invalidates running checks."""
    check: Callable[[str, str], Any] = auth._authenticate_cached
    turns = Turns()

    def authenticated(username: str, password: str) -> Any:
        if auth._USER_AUTH_CACHE is None:
            return check(username, password)
        key = auth._auth_cache_key(username, password)
        with auth._USER_AUTH_CACHE_LOCK:
            known = auth._USER_AUTH_CACHE.get(key)
        if known is not None:
            return known
        with turns.of(key):
            for _ in range(3):
                writes = memory.writes
                user = check(username, password)
                if memory.writes == writes:
                    return user
                # The password may have been changed while its hash was computed; then the cache has the previous one.
                auth._invalidate_user_auth_cache(username)
        return None

    return authenticated


def cached_runs(auth: Any, memory: Memory) -> Callable[..., Any]:
    """Returns MLflow's read of a resource for a decision, cached for runs: the experiment of a run never changes, and IDs are unique."""
    fetch: Callable[..., Any] = auth._fetch_or_none

    def fetched(read: Callable[[str], Any], identifier: str) -> Any:
        if getattr(read, "__name__", "") != "get_run":
            return fetch(read, identifier)
        workspace = auth.workspace_context.get_request_workspace()

        def experiment() -> str | None:
            run = fetch(read, identifier)
            return run and str(run.info.experiment_id)

        found = memory.read((workspace, identifier), experiment)
        return found and SimpleNamespace(info=SimpleNamespace(experiment_id=found))

    return fetched


#: Whether a list is being filtered for its user.
filtering: ContextVar[bool] = ContextVar("filtering", default=False)


def filtered(select: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that removes hidden rows from a list, with the cached role of its user."""

    @functools.wraps(select)
    def run(*args: Any, **named: Any) -> Any:
        token = filtering.set(True)
        try:
            return select(*args, **named)
        finally:
            filtering.reset(token)

    return run


def cached_role(is_admin: Callable[[], bool]) -> Callable[[], bool]:
    """Returns MLflow's check whether the sender is an administrator, cached while a list is filtered. Everywhere else it is part of a decision."""

    @functools.wraps(is_admin)
    def run() -> bool:
        if not filtering.get():
            return is_admin()
        try:
            with deciding():
                return is_admin()
        except Exception:
            return is_admin()

    return run


def cached_rows(
    predicate: Callable[..., Callable[[str], bool]], memory: Memory, workspace: Callable[[], Any]
) -> Callable[..., Callable[[str], bool]]:
    """Returns MLflow's selection of the rows of a list with cached grants.

    As in decisions, a row that cached grants hide is decided by the database. That it is hidden is then cached as well: a list can
    contain many rows that its user must not see. A new resource is not among them, so its creator sees it immediately in each process.
    """
    hidden = Memory(memory.seconds, HIDDEN, memory.now)
    memory.dependents.append(hidden)

    @functools.wraps(predicate)
    def selected(username: str, resource_type: str, *args: Any, **named: Any) -> Callable[[str], bool]:
        def fresh() -> Callable[[str], bool]:
            with reading():
                return predicate(username, resource_type, *args, **named)

        key = (workspace(), username, resource_type, repr((args, sorted(named.items()))))
        writes, read_at = hidden.writes, hidden.now()
        uses_memory = True
        try:
            with deciding() as decision:
                known = predicate(username, resource_type, *args, **named)
            uses_memory = decision.uses_memory
        except Exception:
            known = fresh()
            uses_memory = False
        again: list[tuple[Callable[[str], bool], int, float]] = [] if uses_memory else [(known, writes, read_at)]

        def may_see(row: str) -> bool:
            if known(row):
                return True
            if hidden.get((key, row)):
                return False
            if not again:
                now = hidden.writes, hidden.now()
                again.append((fresh(), *now))
            decide, as_of, at = again[0]
            if decide(row):
                return True
            hidden.put((key, row), True, as_of, at)
            return False

        return may_see

    return selected


#: What MLflow filters lists with.
LISTS = (
    "_role_based_read_predicate sender_is_admin filter_experiment_ids _SELF_AUTHORIZING_AFTER_REQUEST_HANDLERS"
    " AFTER_REQUEST_HANDLERS PARAMETERIZED_AFTER_REQUEST_HANDLERS".split()
)


def cache_lists(auth: Any, memory: Memory) -> None:
    """Caches what MLflow reads to filter lists. MLflow 3.16 reads grants of lists in another way, and is left as it is."""
    if not callable(getattr(auth, "retention_gate", None)):
        return
    for name in LISTS:
        if not hasattr(auth, name):
            raise RuntimeError(
                f"This MLflow has no mlflow.server.auth.{name}. Lists would be filtered without the cache."
            )
    auth._role_based_read_predicate = cached_rows(
        auth._role_based_read_predicate, memory, auth.workspace_context.get_request_workspace
    )
    auth.sender_is_admin = cached_role(auth.sender_is_admin)
    auth.filter_experiment_ids = filtered(auth.filter_experiment_ids)
    tables = (auth.AFTER_REQUEST_HANDLERS, auth.PARAMETERIZED_AFTER_REQUEST_HANDLERS)
    handlers = {handler for table in tables for handler in table.values()}
    filters = {each: filtered(each) for each in handlers if each.__name__.startswith(("filter_", "redact_"))}
    for table in tables:
        for key, handler in table.items():
            table[key] = filters.get(handler, handler)
    # MLflow allows a request without a separate decision if one of these functions filters its response.
    alone = auth._SELF_AUTHORIZING_AFTER_REQUEST_HANDLERS
    auth._SELF_AUTHORIZING_AFTER_REQUEST_HANDLERS = frozenset(filters.get(each, each) for each in alone)


REPLACED = (
    "_authenticate_cached _invalidate_user_auth_cache _auth_cache_key _before_request _find_fastapi_validator"
    " _authenticate_custom_for_fastapi".split()
)


def install() -> Memory:
    """Returns the cache of users and grants."""
    auth: Any = import_module("mlflow.server.auth")
    memory = Memory(READ_SECONDS, CACHE_SIZE)
    for name in REPLACED:
        if not callable(getattr(auth, name, None)):
            raise RuntimeError(
                f"This MLflow has no mlflow.server.auth.{name}. Removed users and grants would be cached."
            )
    Users(auth.store, memory)
    auth._authenticate_cached = once_at_a_time(auth, memory)
    auth._before_request = decided(auth._before_request, lambda answer: answer is None)
    auth._authenticate_custom_for_fastapi = decided(
        auth._authenticate_custom_for_fastapi, lambda answer: hasattr(answer, "is_admin")
    )
    find = auth._find_fastapi_validator

    def find_validator(path: str, method: str) -> Callable[..., Awaitable[bool]] | None:
        validator = find(path, method)
        return None if validator is None else decided_later(validator)

    auth._find_fastapi_validator = find_validator
    cache_lists(auth, memory)
    # MLflow 3.16 has no such function; there the run is read for each request.
    if callable(getattr(auth, "_fetch_or_none", None)):
        auth._fetch_or_none = cached_runs(auth, Memory(RUN_SECONDS, CACHE_SIZE))
    return memory

"""Caches what mlflow-oidc-auth (11.0.2) determines for each request with a bearer token, in this process.

A verified token: until it ends, or the keys of its issuer are fetched again. The account of a token and whether it is active: for
READ_SECONDS; each write to the plugin's database in this process clears it. Which experiment a run belongs to: for RUN_SECONDS. Only positive
results are cached. A token that is not cached is verified in a thread, one at a time, so neither the issuer nor the database
stops other requests.

If a release of the plugin no longer has the functions that are replaced here, the server does not start.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Any

from sqlalchemy.event import listen

from .users import CACHE_SIZE, READ_SECONDS, RUN_SECONDS, Memory

#: Statements with these first words change nothing.
READS = ("SELECT", "PRAGMA", "SHOW")

#: The groups in the bearer token that is verified.
groups_in_token: ContextVar[frozenset[str] | None] = ContextVar("groups_in_token", default=None)
#: The user of this request's bearer token, and its groups; None without a token.
member: ContextVar[tuple[str, frozenset[str] | None] | None] = ContextVar("member", default=None)


def digest_of(token: str) -> bytes:
    """The key under which a token is cached. The token itself is not kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True)
class Verified:
    claims: Mapping[str, Any]
    #: When the token ends, in seconds since 1970.
    ends: float
    #: The keys of the issuer with which it was verified, as the plugin's cache has them.
    keys: object


class VerifiedTokens:
    """Tokens that the plugin has verified, each as long as its verification would have the same result."""

    def __init__(
        self,
        validate: Callable[[str], Mapping[str, Any]],
        keys_for: Callable[[str], object],
        key_seconds: float,
        clock: Callable[[], float] = time.time,
        size: int = CACHE_SIZE,
    ) -> None:
        self._validate = validate
        #: The keys for a token; fetched by the plugin if its cache has none.
        self._keys_for = keys_for
        self._key_seconds = key_seconds
        self._clock = clock
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[bytes, Verified] = OrderedDict()
        #: The last keys, and when they were first seen.
        self._keys: tuple[object, float] = (None, 0.0)

    def is_valid(self, token: str) -> bool:
        """Whether the token needs no verification now. Never waits."""
        with self._lock:
            return self._valid(digest_of(token), self._keys[0]) is not None

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token. Raises as the plugin does if it is not valid."""
        keys = self._seen(self._keys_for(token))
        digest = digest_of(token)
        with self._lock:
            if (found := self._valid(digest, keys)) is not None:
                self._entries.move_to_end(digest)
                return dict(found.claims)
        claims = self._validate(token)
        # A signature of another key makes the plugin fetch the keys again.
        keys = self._seen(self._keys_for(token))
        ends = claims.get("exp")
        if isinstance(ends, (int, float)) and not isinstance(ends, bool):
            with self._lock:
                self._entries[digest] = Verified(dict(claims), float(ends), keys)
                while len(self._entries) > self._size:
                    self._entries.popitem(last=False)
        return dict(claims)

    def _seen(self, keys: object) -> object:
        with self._lock:
            if keys is not self._keys[0]:
                self._keys = (keys, self._clock())
        return keys

    def _valid(self, digest: bytes, keys: object) -> Verified | None:
        found = self._entries.get(digest)
        if found is None:
            return None
        now = self._clock()
        if (
            found.keys is keys
            and keys is self._keys[0]
            and now < found.ends
            and now - self._keys[1] < self._key_seconds
        ):
            return found
        if now >= found.ends:
            del self._entries[digest]
        return None


@dataclass(frozen=True)
class Bearer:
    """What the plugin has found out about a token."""

    username: str
    #: Provider and subject, as the plugin keeps them for the rest of the request.
    identity: object
    is_workload: bool
    groups: frozenset[str] | None


class Bearers:
    """The plugin's authentication of bearer tokens, in a thread, with results cached."""

    def __init__(self, middleware: Any, tokens: VerifiedTokens, memory: Memory) -> None:
        self._middleware = middleware
        self._tokens = tokens
        self.memory = memory
        self._authenticate = middleware.AuthMiddleware._authenticate_bearer_token
        self._facts = middleware.AuthMiddleware._get_user_auth_facts
        # One at a time, as in the event loop: the first requests of a new user must not make its account twice.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bearer-token")

    async def authenticated(self, plugin: Any, header: str) -> tuple[bool, str | None, str]:
        """As the plugin's own method; `plugin` is its middleware."""
        token = header.split(" ", 1)[1]
        found = self._known(token)
        if found is None:
            context = copy_context()
            outcome = await asyncio.get_running_loop().run_in_executor(
                self._thread, context.run, self._in_thread, plugin, header, token
            )
            if not isinstance(outcome, Bearer):
                return outcome
            found = outcome
        self._middleware._BEARER_IDENTITY.set(found.identity)
        self._middleware._WORKLOAD_BEARER.set(found.is_workload)
        member.set((found.username, found.groups))
        return True, found.username, ""

    def _known(self, token: str) -> Bearer | None:
        found: Bearer | None = self.memory.get(("bearer", digest_of(token)))
        return found if found is not None and self._tokens.is_valid(token) else None

    def _in_thread(self, plugin: Any, header: str, token: str) -> Bearer | tuple[bool, str | None, str]:
        if (known := self._known(token)) is not None:
            return known
        writes, read_at = self.memory.writes, self.memory.now()
        groups_in_token.set(None)
        outcome: tuple[bool, str | None, str] = completed(self._authenticate(plugin, header))
        if not outcome[0] or outcome[1] is None:
            return outcome
        identity, is_workload = self._middleware._BEARER_IDENTITY.get(), self._middleware._WORKLOAD_BEARER.get()
        found = Bearer(outcome[1], identity, is_workload, groups_in_token.get())
        self.memory.put(("bearer", digest_of(token)), found, writes, read_at)
        self.facts(plugin, found.username)
        return found

    def facts(self, plugin: Any, username: str) -> Any:
        """What the plugin reads of an account for each request. An account that is not allowed to authenticate is read again."""
        if (known := self.memory.get(("facts", username))) is not None:
            return known
        writes, read_at = self.memory.writes, self.memory.now()
        found = self._facts(plugin, username)
        if found[1]:
            self.memory.put(("facts", username), found, writes, read_at)
        return found


def completed(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("This mlflow-oidc-auth authenticates a token asynchronously, which needs an event loop.")


def clear_on_writes(engine: Any, memory: Memory) -> None:
    """Clears the cache with each statement that changes the database, and again when it is committed."""

    def executed(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(READS):
            connection.info["mlflow_operator_wrote"] = True
            memory.clear()

    def committed(connection: Any) -> None:
        if connection.info.pop("mlflow_operator_wrote", False):
            memory.clear()

    listen(engine, "after_cursor_execute", executed)
    listen(engine, "commit", committed)


def cached_experiments(
    find: Callable[[Any, str], str], memory: Memory, workspace: Callable[[], str | None]
) -> Callable[[Any, str], str]:
    """The experiment of a run, which never changes. A run that does not exist is read again."""

    def found(tracking_store: Any, run_id: str) -> str:
        key = (workspace(), run_id)
        if (known := memory.get(key)) is not None:
            return str(known)
        writes, read_at = memory.writes, memory.now()
        experiment = find(tracking_store, run_id)
        memory.put(key, experiment, writes, read_at)
        return experiment

    return found


def replace_everywhere(name: str, original: object, replacement: object) -> None:
    """Replaces a function in each module of the plugin that has imported it."""
    for module in [each for key, each in sys.modules.items() if key.startswith("mlflow_oidc_auth")]:
        if getattr(module, name, None) is original:
            setattr(module, name, replacement)


def install(middleware: Any, auth: Any, engine: Any, key_seconds: float) -> Bearers:
    """Called after the plugin has made its application, and after the functions of this package have replaced those of the plugin."""
    from mlflow.utils import workspace_context
    from mlflow_oidc_auth import utils

    for owner, names in {
        middleware: "_BEARER_IDENTITY _WORKLOAD_BEARER",
        middleware.AuthMiddleware: "_authenticate_bearer_token _get_user_auth_facts",
        auth: "_get_provider_jwks resolve_token_provider",
        utils: "get_run_experiment_id",
    }.items():
        for name in names.split():
            if not hasattr(owner, name):
                raise RuntimeError(f"This mlflow-oidc-auth has no {name}. Removed accounts and keys would be cached.")
    tokens = VerifiedTokens(
        middleware.validate_token,
        lambda token: auth._get_provider_jwks(auth.resolve_token_provider(token)),
        key_seconds,
    )
    memory = Memory(READ_SECONDS, CACHE_SIZE)
    clear_on_writes(engine, memory)
    bearers = Bearers(middleware, tokens, memory)

    async def authenticated(self: Any, header: str) -> tuple[bool, str | None, str]:
        return await bearers.authenticated(self, header)

    middleware.validate_token = tokens.claims
    middleware.AuthMiddleware._authenticate_bearer_token = authenticated
    middleware.AuthMiddleware._get_user_auth_facts = lambda self, username: bearers.facts(self, username)
    find = utils.get_run_experiment_id
    experiments = cached_experiments(find, Memory(RUN_SECONDS, CACHE_SIZE), workspace_context.get_request_workspace)
    replace_everywhere("get_run_experiment_id", find, experiments)
    return bearers

"""Reads sessions of mlflow-oidc-auth (11.0.2) with one statement outside a transaction, and caches each for a second.

The plugin reads the session for each request, with the same statement in a transaction of the object-relational mapper, which takes several times as
long, in the event loop. A browser sends dozens of requests for one page. A session that ends in this process ends immediately: each write to the plugin's
database clears the cache.

If a release of the plugin keeps sessions in another way, the server does not start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from mlflow_oidc_auth.db.models import SqlAuthSession, SqlUser
from mlflow_oidc_auth.repository.auth_session import ResolvedSession
from sqlalchemy import bindparam, select

from .oidc_cache import clear_on_writes, digest_of
from .users import CACHE_SIZE, Memory

#: How long a session that another process has ended is accepted here.
SESSION_SECONDS = 1

#: The fields of a resolved session, and where they are read from.
COLUMNS = {
    "username": SqlUser.username,
    "is_admin": SqlUser.is_admin,
    "is_active": SqlUser.active,
    "is_service_account": SqlUser.is_service_account,
    "expires_at": SqlAuthSession.expires_at,
    "session_pk": SqlAuthSession.id,
    "session_id": SqlAuthSession.session_id,
    "provider_id": SqlAuthSession.provider_id,
    "encrypted_tokens": SqlAuthSession.encrypted_tokens,
}

#: A session is valid if it is not revoked and has not expired, as in the plugin.
STATEMENT = (
    select(*(column.label(name) for name, column in COLUMNS.items()))
    .join_from(SqlUser, SqlAuthSession, SqlAuthSession.user_id == SqlUser.id)
    .where(
        SqlAuthSession.session_id == bindparam("presented"),
        SqlAuthSession.revoked_at.is_(None),
        SqlAuthSession.expires_at > bindparam("now"),
    )
)


def now() -> datetime:
    """The time in the format of the plugin's tables."""
    return datetime.now(UTC).replace(tzinfo=None)


def resolver(engine: Any) -> Callable[[str], ResolvedSession | None]:
    """Returns the function that finds the session with an id; None if it is unknown, revoked or expired."""
    connected = engine.execution_options(isolation_level="AUTOCOMMIT")

    def resolve(session_id: str) -> ResolvedSession | None:
        if not session_id:
            return None
        with connected.connect() as connection:
            row = connection.execute(STATEMENT, {"presented": session_id, "now": now()}).one_or_none()
        if row is None:
            return None
        found = row._asdict()
        for name in ("is_admin", "is_active", "is_service_account"):
            found[name] = bool(found[name])
        return ResolvedSession(**found)

    return resolve


def cached(resolve: Callable[[str], ResolvedSession | None], memory: Memory) -> Callable[[str], ResolvedSession | None]:
    """Returns a function that reads a session at most once in the time of the cache. One that is not valid is read each time."""

    def resolved(session_id: str) -> ResolvedSession | None:
        key = digest_of(session_id)
        known: ResolvedSession | None = memory.get(key)
        if known is not None and known.expires_at > now():
            return known
        writes, read_at = memory.writes, memory.now()
        found = resolve(session_id)
        if found is not None and found.is_active:
            memory.put(key, found, writes, read_at)
        return found

    return resolved


def install(repository: Any, engine: Any) -> None:
    """Replaces the lookup of `repository`, the plugin's class."""
    if not callable(getattr(repository, "resolve", None)) or {each.name for each in fields(ResolvedSession)} != set(
        COLUMNS
    ):
        raise RuntimeError("This mlflow-oidc-auth stores sessions in another way. Ended sessions would be accepted.")
    memory = Memory(SESSION_SECONDS, CACHE_SIZE)
    clear_on_writes(engine, memory)
    resolve = cached(resolver(engine), memory)

    @wraps(repository.resolve)
    def resolved(_: Any, session_id: str) -> ResolvedSession | None:
        return resolve(session_id)

    repository.resolve = resolved

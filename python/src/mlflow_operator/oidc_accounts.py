"""The account of a user of the issuer. It is bound to `iss` and `sub`, so it stays the same if the name in the token changes.

The binding is a row of the plugin's own table `user_identities`, so all replicas share it, an administrator can list and remove it with the
plugin's API (`/users/{username}/identities`), and it is deleted with the account. The plugin's subject there is both claims in one text.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlflow_oidc_auth.db.models import SqlUser, SqlUserIdentity, SqlUserToken
from mlflow_oidc_auth.provider_registry import DEFAULT_PROVIDER_ID
from mlflow_oidc_auth.repository.user_token import parse_prefix
from mlflow_oidc_auth.utils.service_accounts import INTERNAL_SOURCE

#: The length of the plugin's column.
LONGEST_SUBJECT = 255

#: The minimum interval between writes of the time of a membership.
SEEN_SECONDS = 60


class Rejected(PermissionError):
    """The reason why a verified token is rejected. Never contains the token."""


@dataclass(frozen=True)
class Account:
    username: str
    is_admin: bool
    #: When its user last authenticated with a group; None: never, or the user has left it since.
    member_at: datetime | None = None
    #: Whether it was found by its binding.
    is_bound: bool = False


def identity_of(issuer: str, subject: object) -> str:
    """Returns the two claims that identify a user permanently, as one text that fits the plugin's table."""
    if not isinstance(subject, str) or not subject or subject != subject.strip() or not subject.isprintable():
        raise Rejected("its sub is missing, or has spaces around it or control characters")
    identity = f"{issuer} {subject}"
    if len(identity) <= LONGEST_SUBJECT:
        return identity
    return f"sha256 {hashlib.sha256(identity.encode()).hexdigest()}"


def utc(clock: Callable[[], float]) -> datetime:
    """Returns the current time in the format of the plugin's tables."""
    return datetime.fromtimestamp(clock(), UTC).replace(tzinfo=None)


class Accounts:
    """The bindings, in the plugin's database."""

    def __init__(self, sessions: Callable[..., Any], clock: Callable[[], float] = time.time) -> None:
        self._sessions = sessions
        self._clock = clock

    def bound_to(self, identity: str) -> Account | None:
        with self._sessions() as session:
            row = (
                session.query(SqlUser.username, SqlUser.is_admin, SqlUserIdentity.last_login_at)
                .join(SqlUserIdentity, SqlUserIdentity.user_id == SqlUser.id)
                .filter(SqlUserIdentity.provider_id == DEFAULT_PROVIDER_ID, SqlUserIdentity.subject == identity)
                .one_or_none()
            )
            return row and Account(row[0], bool(row[1]), row[2], is_bound=True)

    def named(self, username: str, *, is_browser: bool) -> Account | None:
        """The account of this name, which is not bound yet. Raises Rejected for a service account of another kind."""
        with self._sessions() as session:
            row = (
                session.query(
                    SqlUser.username, SqlUser.is_admin, SqlUser.is_service_account, SqlUser.service_account_source
                )
                .filter(SqlUser.username == username)
                .one_or_none()
            )
        if row is None:
            return None
        if row[2] and (is_browser or row[3] in (None, INTERNAL_SOURCE)):
            raise Rejected(f"the account {username!r} is a service account")
        return Account(row[0], bool(row[1]))

    def bind(self, username: str, identity: str) -> None:
        """Binds an account to an identity. Raises Rejected if one of them already has another binding."""
        with self._sessions(read_only=False) as session:
            # A write first: it locks the row on PostgreSQL and the database on SQLite, so of two concurrent ones the second sees the first.
            session.query(SqlUser).filter(SqlUser.username == username).update(
                {SqlUser.updated_at: utc(self._clock)}, synchronize_session=False
            )
            user = session.query(SqlUser.id).filter(SqlUser.username == username).one_or_none()
            bound = session.query(SqlUserIdentity.subject).filter(
                SqlUserIdentity.provider_id == DEFAULT_PROVIDER_ID, SqlUserIdentity.user_id == (user and user[0])
            )
            # The plugin's migrations set the subject of existing accounts to their names. That is not a binding.
            subjects = {subject for (subject,) in bound if subject != username}
            if user is not None and not subjects:
                session.add(SqlUserIdentity(provider_id=DEFAULT_PROVIDER_ID, subject=identity, user_id=user[0]))
        # Outside the session, which would convert the exception.
        if user is None:
            raise Rejected(f"the account {username!r} does not exist")
        if subjects and identity not in subjects:
            raise Rejected(taken(username))

    def is_bound(self, username: str) -> bool:
        with self._sessions() as session:
            return (
                session.query(SqlUserIdentity.id)
                .join(SqlUser, SqlUser.id == SqlUserIdentity.user_id)
                .filter(SqlUser.username == username, SqlUserIdentity.subject != username)
                .first()
                is not None
            )

    def seen(self, identity: str, account: Account | None) -> None:
        """Records that the user has authenticated with a group."""
        now = utc(self._clock)
        if account is None or account.member_at is None or now - account.member_at >= timedelta(seconds=SEEN_SECONDS):
            self._set(identity, now)

    def gone(self, identity: str) -> None:
        """Records that the user no longer has a group."""
        account = self.bound_to(identity)
        if account is not None and account.member_at is not None:
            self._set(identity, None)

    def _set(self, identity: str, at: datetime | None) -> None:
        with self._sessions(read_only=False) as session:
            session.query(SqlUserIdentity).filter(
                SqlUserIdentity.provider_id == DEFAULT_PROVIDER_ID, SqlUserIdentity.subject == identity
            ).update({SqlUserIdentity.last_login_at: at}, synchronize_session=False)

    def may_use(self, username: str, token: str, max_age: float) -> bool:
        """Returns whether an access token is younger than `max_age`, and its user has authenticated with a group within that time."""
        prefix = parse_prefix(token)
        if prefix is None:
            return False
        since = utc(self._clock) - timedelta(seconds=max_age)
        with self._sessions() as session:
            return (
                session.query(SqlUserToken.id)
                .join(SqlUser, SqlUser.id == SqlUserToken.user_id)
                .join(SqlUserIdentity, SqlUserIdentity.user_id == SqlUser.id)
                .filter(
                    SqlUser.username == username,
                    SqlUser.is_service_account.is_(False),
                    SqlUserToken.token_prefix == prefix,
                    SqlUserToken.created_at >= since,
                    SqlUserIdentity.provider_id == DEFAULT_PROVIDER_ID,
                    SqlUserIdentity.last_login_at >= since,
                )
                .first()
                is not None
            )


def taken(username: str) -> str:
    return (
        f"the account {username!r} is bound to another sub of the issuer. If it is the same person, an administrator removes "
        "the binding with DELETE /api/2.0/mlflow/users/<username>/identities"
    )

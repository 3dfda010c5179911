"""The application of mlflow-oidc-auth with additional rules for authentication.

The plugin (11.0.2) checks the groups in a token only when a user authenticates for the first time, accepts names in any form, has an account
for each name and not for each `sub`, and issues access tokens that nothing checks later. Here a token is accepted only if it contains
a group of its user, an account belongs to one `sub`, and access tokens are disabled or limited. If a release of the plugin no
longer has the functions that are replaced here, the server does not start.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from fastapi import Request, Response
from mlflow_oidc_auth import auth as verification
from mlflow_oidc_auth import routers
from mlflow_oidc_auth.config import config
from mlflow_oidc_auth.group_patterns import normalize_group_values
from mlflow_oidc_auth.logger import get_logger
from mlflow_oidc_auth.middleware import auth_aware_wsgi_middleware, auth_middleware
from mlflow_oidc_auth.middleware.auth_middleware import AuthMiddleware
from mlflow_oidc_auth.provider_registry import DEFAULT_PROVIDER_ID
from mlflow_oidc_auth.repository.auth_session import AuthSessionRepository
from mlflow_oidc_auth.repository.user_identity import UserIdentityRepository
from mlflow_oidc_auth.routers import auth as login
from mlflow_oidc_auth.store import store

from . import oidc_cache, oidc_sessions, wsgi_threads
from .account_names import problem_of
from .claims import claim
from .oidc_accounts import Account, Accounts, Rejected, identity_of, taken
from .oidc_routes import ACCESS_TOKENS, close, error
from .protocol import Application, Message, Receive, Send

__all__ = ["app"]

logger = get_logger()

settings: dict[str, Any] = json.loads(os.environ["MLFLOW_OPERATOR_OIDC"])
#: The maximum age of an access token and of the last authentication with a group, in seconds; None: access tokens are disabled.
TOKEN_SECONDS: float | None = settings["accessTokenSeconds"]
#: The origin of an external URL.
ORIGIN = re.compile(r"^[a-z]+://[^/]+(?=/|$)", re.IGNORECASE)

close(routers.get_all_routers(), takes_tokens=TOKEN_SECONDS is not None)
wsgi_threads.install(auth_aware_wsgi_middleware)

from mlflow_oidc_auth.app import app  # noqa: E402 - created from the routers when it is imported

#: The identity of a bearer token whose account must be created.
pending: ContextVar[str | None] = ContextVar("pending", default=None)


def accounts() -> Accounts:
    return Accounts(store.user_identity_repo._Session)


def replaced(owner: Any, name: str) -> Any:
    """Returns a function of the plugin that is replaced here."""
    original = getattr(owner, name, None)
    if not callable(original):
        raise RuntimeError(f"this mlflow-oidc-auth has no {name}: users could not be identified")
    return original


def resolved(claims: Any) -> Any:
    """Returns the claims; those that the settings select by a path are added under that name, where the plugin expects them."""
    if isinstance(claims, dict):
        for name in (config.OIDC_GROUPS_ATTRIBUTE, *config.OIDC_USERNAME_FIELD):
            if (found := claim(claims, name)) is not None:
                claims[name] = found
    return claims


def is_member(groups: object) -> bool:
    found = set(normalize_group_values(groups))
    return not found.isdisjoint({*config.OIDC_GROUP_NAME, *config.OIDC_ADMIN_GROUP_NAME})


def is_administrator(groups: object) -> bool:
    return not set(normalize_group_values(groups)).isdisjoint(config.OIDC_ADMIN_GROUP_NAME)


def identity_in(claims: Mapping[str, object]) -> str:
    """Returns the identity in a verified token. Raises Rejected for a name that can be confused with another one."""
    if claims.get("iss") != config.OIDC_ISSUER:
        raise Rejected("it is of another issuer")
    for field in config.OIDC_USERNAME_FIELD:
        name = claims.get(field)
        if name is None:
            continue
        if (problem := problem_of(name, is_subject=field == "sub")) is not None:
            raise Rejected(
                f"its claim {field} has a name that could be confused with another one: {problem} ({name!r:.80}). Change the name at the "
                "issuer, or set spec.authentication.oidc.usernameClaim to a claim such as sub"
            )
        break
    return identity_of(config.OIDC_ISSUER, claims.get("sub"))


def account_of(identity: str, username: str, *, is_browser: bool) -> Account | None:
    """Returns the account of an identity; for a new identity the account with this name if it is not bound. None: it must be created."""
    own = accounts()
    if (bound := own.bound_to(identity)) is not None:
        return bound
    named = own.named(username, is_browser=is_browser)
    if named is not None and own.is_bound(username):
        raise Rejected(taken(username))
    return named


def members_account(provider: Any, payload: Mapping[str, object], username: str) -> tuple[str, bool]:
    """Returns the account of a bearer token. The plugin logs an exception and answers with 401."""
    identity = identity_in(payload)
    groups = payload.get(config.OIDC_GROUPS_ATTRIBUTE, [])
    if not is_member(groups):
        if TOKEN_SECONDS is not None:
            accounts().gone(identity)
        raise Rejected(f"{username!r} is in neither group according to this token")
    oidc_cache.groups_in_token.set(frozenset(normalize_group_values(groups)))
    account = account_of(identity, username, is_browser=False)
    if account is not None and account.is_admin and not is_administrator(groups):
        raise Rejected(f"{username!r} is an administrator, but not according to this token: log in with a browser once")
    if account is None:
        pending.set(identity)
        return username, False
    pending.set(None)
    # A write locks the user's row. With a write for each request, the requests of a user would wait for each other.
    if not account.is_bound:
        accounts().bind(account.username, identity)
    if TOKEN_SECONDS is not None:
        accounts().seen(identity, account)
    return account.username, False


provision_bearer = replaced(AuthMiddleware, "_maybe_provision_bearer_user")


def provision(self: AuthMiddleware, username: str, token: str, payload: Mapping[str, object]) -> None:
    """Creates the account of a token whose user has none, and no other account."""
    identity = pending.get()
    if identity is None:
        return
    provision_bearer(self, username, token, {**payload, "sub": identity})
    account = accounts().bound_to(identity)
    if account is None or account.username != username:
        raise Rejected(f"no account was created for {username!r}, or another user of the issuer has it now")
    if TOKEN_SECONDS is not None:
        accounts().seen(identity, account)


denial_of = replaced(auth_middleware, "_service_account_denial")


def denial(
    username: str, is_service_account: bool, source: Any, method: str, bearer: Any, is_admin: bool = False
) -> str:
    """Applies the plugin's rule for service accounts to the identity in the form that is bound here."""
    if isinstance(bearer, tuple) and getattr(bearer[0], "id", None) == DEFAULT_PROVIDER_ID:
        bearer = (bearer[0], identity_of(config.OIDC_ISSUER, bearer[1]))
    reason: str = denial_of(username, is_service_account, source, method, bearer, is_admin)
    return reason


provision_login = replaced(login, "_provision_login")


def sign_in(
    provider: Any, *, username: str, userinfo: dict[str, Any], user_groups: list[Any], **others: Any
) -> tuple[Any, list[str]]:
    """Handles a login in the browser: the account is the one that is bound to the identity."""
    try:
        identity = identity_in(userinfo)
        if not is_member(user_groups):
            accounts().gone(identity)
        elif (account := account_of(identity, username, is_browser=True)) is not None:
            if not account.is_bound:
                accounts().bind(account.username, identity)
            username = account.username
    except Rejected as rejected:
        logger.warning("A login is rejected: %s", rejected)
        return None, ["This account cannot be used to sign in here"]
    result: tuple[Any, list[str]] = provision_login(
        provider, username=username, userinfo={**userinfo, "sub": identity}, user_groups=user_groups, **others
    )
    if result[0] is not None and not result[1] and TOKEN_SECONDS is not None:
        accounts().seen(identity, None)
    return result


link = replaced(UserIdentityRepository, "link")


def bind(self: UserIdentityRepository, provider_id: str, subject: str, username: str, **others: Any) -> bool:
    """Replaces the plugin's binding, which allows a second `sub` for an account."""
    if provider_id != DEFAULT_PROVIDER_ID:
        return bool(link(self, provider_id, subject, username, **others))
    Accounts(self._Session).bind(username, subject)
    return True


authenticate_basic = replaced(AuthMiddleware, "_authenticate_basic_auth")


async def by_access_token(self: AuthMiddleware, header: str) -> tuple[bool, str | None, str]:
    """Authenticates an access token if they are enabled, as long as its user has recently authenticated with a group."""
    if TOKEN_SECONDS is None:
        return False, None, "access tokens are disabled (spec.authentication.oidc.accessTokens)"
    found: tuple[bool, str | None, str] = await authenticate_basic(self, header)
    if not found[0] or found[1] is None:
        return found
    password = auth_middleware.base64.b64decode(header.split(" ", 1)[1]).decode("utf-8").split(":", 1)[1]
    if not accounts().may_use(found[1], password, TOKEN_SECONDS):
        logger.warning("An access token of %r is too old, or its user has not logged in for too long", found[1])
        return False, None, "The access token is too old, or its user has not logged in for too long"
    return found


deny = replaced(AuthMiddleware, "_deny")

TOO_OLD = (
    "The access token is wrong or too old, or its user has not logged in for longer than spec.authentication.oidc.accessTokens.maxAge: "
    "log in with a browser, and create a new access token if that is not sufficient."
)


async def denied(self: AuthMiddleware, request: Request, path: str) -> Response:
    """Answers 401 with the reason if a password was sent. The reason is not a secret, and a login page would not help."""
    if request.headers.get("authorization", "").lower().startswith("basic"):
        return error(401, ACCESS_TOKENS if TOKEN_SECONDS is None else TOO_OLD)
    answer: Response = await deny(self, request, path)
    return answer


exchange = replaced(login, "_authorize_access_token_with_key_refresh")


async def exchanged(*args: Any, **named: Any) -> Any:
    answer = await exchange(*args, **named)
    if isinstance(answer, dict):
        resolved(answer.get("userinfo"))
    return answer


validate = replaced(auth_middleware, "validate_token")
replaced(auth_middleware, "_bearer_identity")
replaced(login, "_build_ui_url")


def ui_url(request: Request, path: str, query: Mapping[str, Any] | None = None) -> str:
    """Returns the external URL of a page of the plugin. Behind a gateway, the request has neither https nor the prefix."""
    answer = config.OIDC_REDIRECT_URI.removesuffix("/callback") + login.UI_ROUTER_PREFIX + path
    return f"{answer}?{login.urlencode(query, doseq=True)}" if query else answer


auth_middleware.validate_token = lambda token: resolved(validate(token))
auth_middleware._bearer_identity = members_account
auth_middleware._service_account_denial = denial
AuthMiddleware._maybe_provision_bearer_user = provision
AuthMiddleware._authenticate_basic_auth = by_access_token
AuthMiddleware._deny = denied
UserIdentityRepository.link = bind
login._provision_login = sign_in
login._authorize_access_token_with_key_refresh = exchanged
login._build_ui_url = ui_url
oidc_sessions.install(AuthSessionRepository, store.engine)
bearers = oidc_cache.install(auth_middleware, verification, store.engine, config.OIDC_JWKS_CACHE_TTL_SECONDS)


class LocalRedirects:
    """Redirects to the server itself without scheme and host: the plugin takes them from the request, which does not know that it was https."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.own = config.OIDC_REDIRECT_URI.removesuffix("/callback")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (
                        name,
                        self.local(value.decode("latin-1"), host).encode("latin-1")
                        if name.lower() == b"location"
                        else value,
                    )
                    for name, value in message["headers"]
                ]
                message = {**message, "headers": headers}
            await send(message)

        await self.application(scope, receive, sent)

    def local(self, location: str, host: str) -> str:
        for own in (self.own, f"http://{host}", f"https://{host}"):
            if location == own or location.startswith((f"{own}/", f"{own}?")):
                rest = location[len(own) :]
                # Two slashes would select another host.
                return "/" + rest.lstrip("/") if not rest.startswith("?") else "/" + rest
        return location


app.add_middleware(LocalRedirects)

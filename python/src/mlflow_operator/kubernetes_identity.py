"""The application of mlflow-kubernetes-plugins, with the caller's identity from a verified ID token instead of headers.

The plugin (2.1.0) trusts two headers without any check, and splits a list of groups at a separator that the name of a group can contain.
Here it gets the user and the groups of the token that oauth2-proxy sets in Authorization. The signature of the token is verified again, so
a request that does not come through oauth2-proxy needs a valid token as well. If a release of the plugin no longer has the functions
that are replaced here, the server does not start.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import ssl
from collections.abc import Callable
from typing import Any

from mlflow_kubernetes_plugins.auth import core, middleware
from mlflow_kubernetes_plugins.auth.request_context import AuthorizationRequest
from starlette.concurrency import run_in_threadpool

from .answers import respond
from .protocol import Application, Message, Receive, Send
from .token_identity import Claims, Expired, Identity, Issuer, Keys, Refused, Tokens

logger = logging.getLogger("mlflow.identity")

STATE = "verified_identity"

#: Headers in which a client can claim an identity. They are removed.
FORGEABLE = (
    "remote",
    "forwarded_user",
    "forwarded_email",
    "forwarded_groups",
    "forwarded_preferred",
    "forwarded_access",
    "auth_request",
)


class Identified:
    """Verifies the caller's identity before the plugin."""

    def __init__(self, application: Application, tokens: Tokens, sign_in: str) -> None:
        self.application = application
        self.tokens = tokens
        #: The URL at which a browser signs in again.
        self.sign_in = sign_in.encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            headers = [entry for entry in scope["headers"] if not is_forgeable(entry[0])]
            identity = await self.caller(headers)
            if isinstance(identity, Expired):
                # The proxy keeps the session of a browser for longer than its token lasts.
                if is_page(scope):
                    await see_other(send, self.sign_in)
                    return
                identity = None
            scope = {**scope, "headers": headers, "state": {**scope.get("state", {}), STATE: identity}}
        await self.application(scope, receive, send)

    async def caller(self, headers: list[tuple[bytes, bytes]]) -> Identity | Expired | None:
        """Returns the identity in the bearer token; None if there is not exactly one valid token. Only the log contains the reason."""
        sent = [value for name, value in headers if name.lower() == b"authorization"]
        if not sent:
            return None
        scheme, _, token = sent[0].partition(b" ")
        try:
            if len(sent) > 1 or scheme.lower() != b"bearer":
                raise Refused("there is not one bearer token")
            text = token.decode("ascii", "replace")
            # A thread verifies other tokens, because the issuer's keys may have to be fetched.
            return self.tokens.cached(text) or await run_in_threadpool(self.tokens.identity, text)
        except Refused as refusal:
            logger.warning("A token is rejected: %s", refusal)
            return refusal if isinstance(refusal, Expired) else None


def is_page(scope: Message) -> bool:
    """Returns whether a browser opens the page itself. The page and programs send all other requests."""
    accepted = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept")
    return scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/" and b"text/html" in accepted


async def see_other(send: Send, location: bytes) -> None:
    await respond(send, 302, [(b"location", location), (b"cache-control", b"no-store")])


def is_forgeable(name: bytes) -> bool:
    plain = name.decode("latin-1").lower().replace("-", "_").removeprefix("x_")
    return plain.startswith(FORGEABLE)


def replace(module: Any, name: str, replacement: Callable[[Any], Any]) -> None:
    original = getattr(module, name, None)
    if not callable(original):
        raise RuntimeError(
            f"this mlflow-kubernetes-plugins has no {module.__name__}.{name}: callers could not be identified"
        )
    setattr(module, name, replacement(original))


def with_verified(build: Callable[..., AuthorizationRequest]) -> Callable[..., AuthorizationRequest]:
    """Returns the plugin's request with the verified user and groups instead of the header values."""

    def built(request: Any, *args: Any, **named: Any) -> AuthorizationRequest:
        identity: Identity | None = request.scope.get("state", {}).get(STATE)
        return dataclasses.replace(
            build(request, *args, **named),
            authorization_header=None,
            forwarded_access_token=None,
            remote_user_header_value=identity and identity.user,
            remote_groups_header_value=identity and identity.groups,
        )

    return built


def as_they_are(_: Callable[..., tuple[str, ...]]) -> Callable[..., tuple[str, ...]]:
    """Passes groups on as a list, so that no separator splits them."""

    def groups(value: object, separator: str = "") -> tuple[str, ...]:
        if value is not None and not isinstance(value, tuple):
            raise TypeError("the groups are not from the verified token")
        return value or ()

    return groups


def tokens_from(settings: dict[str, Any]) -> Tokens:
    context = ssl.create_default_context()
    for path in settings["caFiles"]:
        context.load_verify_locations(path)
    issuers = [Issuer(entry["issuer"], entry["audience"], entry["isCluster"]) for entry in settings["issuers"]]
    known = {issuer.issuer: (issuer, Keys(issuer.issuer, context)) for issuer in issuers}
    claims = Claims(
        settings["usernameClaim"],
        settings["groupsClaim"],
        settings["usernamePrefix"],
        settings["groupsPrefix"],
        tuple(settings["reservedNames"]),
    )
    return Tokens(known, claims)


def create_app() -> Application:
    """What `mlflow server --app-name` runs."""
    settings = json.loads(os.environ["MLFLOW_K8S_IDENTITY"])
    replace(middleware, "build_fastapi_authorization_request", with_verified)
    replace(core, "_parse_remote_groups", as_they_are)
    return Identified(middleware.create_app(), tokens_from(settings), settings["signIn"])

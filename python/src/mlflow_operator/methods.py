"""The credentials of each authentication method, and its public paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module

from .headers import Headers, values

#: A protected GET that costs little and is answered with 401 if the credential is invalid.
PROBE = "/api/2.0/mlflow/experiments/get"


@dataclass(frozen=True)
class Method:
    """An authentication method, for the middleware."""

    #: Headers that can contain a credential.
    credentials: tuple[bytes, ...]
    #: Whether a path is public. The plugin's own function, so that the middleware makes no other path public.
    is_public: Callable[[str], bool]
    #: `WWW-Authenticate` of a response to a request without a credential.
    challenge: bytes | None = None
    #: Whether the method redirects browsers to a login, so that GET without a credential is for it to answer.
    has_login: bool = False
    #: The cookie of its sessions.
    session: str | None = None
    #: The scheme of `Authorization` that the method knows, with a space. For any other MLflow's basic authentication returns 500.
    scheme: bytes = b""

    def has_credential(self, headers: Headers) -> bool:
        if any(self.is_known(value) for name in self.credentials for value in values(headers, name)):
            return True
        if self.session is None:
            return False
        pairs = [pair for value in values(headers, b"cookie") for pair in value.split(b";")]
        return any(pair.partition(b"=")[0].strip() == self.session.encode() for pair in pairs)

    def is_known(self, value: bytes) -> bool:
        return value.strip() != b"" and value.lower().startswith(self.scheme)


def function(module: str, name: str) -> Callable[[str], bool]:
    """Returns a function of a plugin. Without it the server does not start, because the public paths are unknown."""
    found: Callable[[str], bool] = getattr(import_module(module), name)
    return found


def method_of(application: str, environment: Mapping[str, str] = os.environ) -> Method | None:
    """Returns None if MLflow does not authenticate: behind oauth2-proxy, or on a server without authentication."""
    if application == "plain":
        return None
    if application == "basic-auth":
        is_public = function("mlflow.server.auth", "is_unprotected_route")
        return Method((b"authorization",), is_public, b'Basic realm="mlflow"', scheme=b"basic ")
    if application == "oidc-auth":
        is_public = function("mlflow_oidc_auth.middleware.route_path", "is_unprotected_route")
        session = environment.get("SESSION_COOKIE_NAME") or "session"
        return Method((b"authorization",), is_public, has_login=True, session=session)
    is_public = function("mlflow_kubernetes_plugins.auth.core", "_is_unprotected_path")
    if application == "kubernetes-identity":
        return Method((b"authorization",), is_public)
    return Method((b"authorization", b"x-forwarded-access-token"), is_public)

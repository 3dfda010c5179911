"""Routes of mlflow-oidc-auth (11.0.2) that are disabled: those of its access tokens by default, SCIM and SAML always.

They are replaced before the plugin creates its application, so no spelling of a path bypasses this, and the routes
below /ajax-api are replaced as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

ACCESS_TOKENS = (
    "Access tokens of mlflow-oidc-auth are disabled, since they stay valid after a user has left the issuer: use a token of the issuer "
    "(Authorization: Bearer). The field spec.authentication.oidc.accessTokens enables them with a maximum age."
)
NOT_SERVED = "is not served: users come from the OpenID Connect issuer of spec.authentication.oidc"

TOKENS = re.compile(r"/([a-z-]+-)?tokens?(/|$)")
#: Anywhere in a path.
UNUSED = {
    "scim": f"SCIM {NOT_SERVED}",
    "saml": f"SAML {NOT_SERVED}",
    "slo": f"SAML {NOT_SERVED}",
    "acs": f"SAML {NOT_SERVED}",
}


def refusal_of(path: str, *, takes_tokens: bool) -> tuple[int, str] | None:
    """Returns status and message of a disabled route; None for other routes."""
    for word, message in UNUSED.items():
        if word in path.split("/"):
            return 404, message
    return None if takes_tokens or not TOKENS.search(path) else (403, ACCESS_TOKENS)


def error(status: int, message: str) -> JSONResponse:
    """Returns an error in the format of MLflow's client and of the plugin's pages."""
    code = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "ENDPOINT_NOT_FOUND"}[status]
    return JSONResponse({"error_code": code, "message": message, "detail": message}, status_code=status)


def close(routers: Iterable[APIRouter], *, takes_tokens: bool) -> list[str]:
    """Replaces the endpoints of disabled routes. Returns their paths."""
    closed: list[str] = []
    for router in routers:
        for index, route in enumerate(router.routes):
            path = getattr(route, "path", "")
            refusal = refusal_of(path, takes_tokens=takes_tokens)
            if refusal is None:
                continue
            methods = sorted(getattr(route, "methods", None) or ["GET", "POST"])
            router.routes[index] = APIRoute(path, refusing(*refusal), methods=methods, include_in_schema=False)
            closed.append(path)
    return closed


def refusing(status: int, message: str) -> Callable[[], JSONResponse]:
    def endpoint() -> JSONResponse:
        return error(status, message)

    return endpoint

"""Preflight requests of browsers (CORS).

They contain no credential, so no authentication method accepts them. They are answered here, so MLflow never sees one that is not
authenticated.
"""

from __future__ import annotations

from collections.abc import Iterable

from .answers import answer, respond
from .protocol import Application, Message, Receive, Send

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
#: How long a browser can cache the response, in seconds.
MAX_AGE = b"600"
NOT_ALLOWED = (
    "This origin is not allowed. An administrator can add it to spec.server.corsAllowedOrigins in the MlflowServer."
)


class Preflights:
    """Answers preflights of the allowed origins; behind a proxy, which passes each OPTIONS on without authentication, all OPTIONS."""

    def __init__(self, application: Application, origins: Iterable[str], *, is_proxied: bool) -> None:
        self.application = application
        self.origins = {origin.encode() for origin in origins}
        self.is_proxied = is_proxied

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "OPTIONS":
            await self.application(scope, receive, send)
            return
        origins, methods, requested = (
            [value for name, value in scope["headers"] if name.lower() == wanted]
            for wanted in (b"origin", b"access-control-request-method", b"access-control-request-headers")
        )
        if len(origins) == 1 and methods and origins[0] in self.origins:
            await allow(send, origins[0], requested)
        elif self.is_proxied:
            await reject(send)
        else:
            await self.application(scope, receive, send)


async def allow(send: Send, origin: bytes, requested: list[bytes]) -> None:
    headers = [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-max-age", MAX_AGE),
        (b"vary", b"Origin, Access-Control-Request-Headers"),
    ]
    if requested:
        headers.append((b"access-control-allow-headers", b", ".join(requested)))
    await respond(send, 200, headers)


async def reject(send: Send) -> None:
    await answer(send, 403, "PERMISSION_DENIED", NOT_ALLOWED)

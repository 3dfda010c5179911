"""Preflight requests of browsers (CORS).

They carry no credential, so no authentication can let them pass; and they are answered here, so MLflow never sees one that is not
authenticated.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

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
        (b"content-length", b"0"),
    ]
    if requested:
        headers.append((b"access-control-allow-headers", b", ".join(requested)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def reject(send: Send) -> None:
    body = json.dumps({"error_code": "PERMISSION_DENIED", "message": NOT_ALLOWED}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})

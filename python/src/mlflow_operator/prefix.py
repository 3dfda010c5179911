"""Serves MLflow with and without a path prefix: the outermost middleware of every application.

A gateway can pass the prefix on or strip it, and clients in the cluster do not use it. The prefix of a request is removed once, before
any other code reads the path. So authentication, authorization and the application handle a request with the prefix exactly as the same
request without it. Responses do not depend on what was removed: redirects become relative, so they are correct in all three cases.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from urllib.parse import unquote

from .answers import respond
from .protocol import Application, Message, Receive, Send

#: The prefix of the client's URL: empty for requests through the Service.
seen_prefix: ContextVar[str] = ContextVar("seen_prefix", default="")

whole_host = re.compile(rb";\s*path=/\s*(?=;|$)", re.IGNORECASE)


class Prefixed:
    """An application at `/` that also answers below a prefix."""

    def __init__(self, application: Application, prefix: str, host: str, is_proxied: bool) -> None:
        self.application = application
        self.prefix = prefix.encode()
        self.host = host.encode()
        self.is_proxied = is_proxied

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.application(scope, receive, send)
            return
        # The path as it was sent: a prefix with encoded characters does not match.
        raw: bytes = scope["raw_path"]
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        is_under = raw.startswith(self.prefix + b"/")
        path = raw[len(self.prefix) :] if is_under else raw
        if scope["type"] == "http" and (target := self.elsewhere(path)) is not None:
            await redirect(send, target, scope["query_string"])
            return
        is_outside = is_under or host == self.host
        token = seen_prefix.set(self.prefix.decode() if is_outside else "")
        try:
            # Not as `root_path`: routers would remove a second prefix, after authentication has checked the path.
            inner = {**scope, "raw_path": path, "path": unquote(path.decode("ascii"))} if is_under else scope
            await self.application(inner, receive, self.sending(send, path, host, is_outside))
        finally:
            seen_prefix.reset(token)

    def elsewhere(self, path: bytes) -> bytes | None:
        """Where a path leads that is not the application's, relative to it."""
        if path == self.prefix:
            return self.prefix.rpartition(b"/")[2] + b"/"
        # The proxy's own paths are below the prefix; a gateway that strips it gets there by the prefix twice.
        if self.is_proxied and path.startswith(b"/oauth2/"):
            return relative(path, self.prefix + path)
        return None

    def sending(self, send: Send, path: bytes, host: bytes, is_outside: bool) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    self.header(name.lower(), value, path, host, is_outside) for name, value in message["headers"]
                ]
                message = {**message, "headers": headers}
            await send(message)

        return sent

    def header(self, name: bytes, value: bytes, path: bytes, host: bytes, is_outside: bool) -> tuple[bytes, bytes]:
        if name == b"location":
            return name, relative(path, value, host)
        if name == b"set-cookie" and is_outside:
            # Other servers on this host must not get the cookie.
            return name, whole_host.sub(b"; Path=" + self.prefix, value)
        return name, value


def relative(path: bytes, target: bytes, host: bytes = b"") -> bytes:
    """`target` as seen from `path`, where both are of one server; else as it is."""
    local = re.sub(rb"^https?://" + re.escape(host) + rb"(?=/)", b"", target) if host else target
    if not local.startswith(b"/") or local.startswith(b"//"):
        return target
    return (b"../" * (path.count(b"/") - 1) or b"./") + local[1:]


async def redirect(send: Send, target: bytes, query: bytes) -> None:
    location = target + (b"?" + query if query else b"")
    await respond(send, 307, [(b"location", location)])

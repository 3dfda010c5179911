"""The middleware around MLflow's application: checks that are the same with every authentication method.

In this order: it removes the client's address, and rejects requests without a credential, requests to disabled routes, and bodies that
are too large. Then MLflow gets the request.
"""

from __future__ import annotations

from dataclasses import dataclass

from .answers import answer
from .bodies import PUBLIC_BYTES, UNCHECKED_BYTES, TooLarge, closing, declared, replayed, whole, without_body
from .headers import Headers, without_addresses, without_credentials
from .methods import PROBE, Method
from .protocol import Application, Message, Receive, Send
from .routes import is_artifact_upload, is_assistant, is_gateway, segments

ASSISTANT = "This server does not serve MLflow's Assistant, which runs programs on the server."
GATEWAY = "The AI gateway of this server is disabled. An administrator can set spec.server.aiGateway: Enabled in the MlflowServer."


@dataclass(frozen=True)
class Limits:
    """Bytes of a body."""

    request: int
    #: Of an artifact upload, which is never held in memory.
    upload: int


class Guard:
    """The outermost middleware except for the path prefix."""

    def __init__(self, application: Application, method: Method | None, limits: Limits, *, gateway: bool) -> None:
        self.application = application
        self.method = method
        self.limits = limits
        self.gateway = gateway

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # MLflow has no websockets. A close before the handshake is answered with 403.
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        headers = without_addresses(scope["headers"])
        # Without an address MLflow treats no client as local. The address of a sidecar is 127.0.0.6.
        scope = {**scope, "client": None, "headers": headers}
        size = declared(headers)
        if self.method is not None and not self.method.has_credential(headers):
            await self.without_credential(self.method, scope, size, receive, send)
            return
        parts = segments(scope["path"])
        if is_assistant(parts):
            await refuse(send, size, 404, "ENDPOINT_NOT_FOUND", ASSISTANT)
        elif is_gateway(parts) and not self.gateway:
            await refuse(send, size, 404, "ENDPOINT_NOT_FOUND", GATEWAY)
        else:
            await self.with_body(scope, size, receive, send)

    async def without_credential(
        self, method: Method, scope: Message, size: int | None, receive: Receive, send: Send
    ) -> None:
        is_read = scope["method"] in ("GET", "HEAD")
        if scope["method"] == "OPTIONS" or method.is_public(scope["path"]) or (method.has_login and is_read):
            if size is None or size > PUBLIC_BYTES:
                await too_large(send, PUBLIC_BYTES)
            else:
                await self.application(scope, receive, send)
            return
        challenge = [] if method.challenge is None else [(b"www-authenticate", method.challenge)]
        await refuse(send, size, 401, "UNAUTHENTICATED", "This server requires a credential.", *challenge)

    async def with_body(self, scope: Message, size: int | None, receive: Receive, send: Send) -> None:
        is_upload = is_artifact_upload(scope["method"], scope["path"])
        limit = self.limits.upload if is_upload else self.limits.request
        field = "artifactStore.maxUploadSize" if is_upload else "server.maxRequestBodySize"
        if is_upload:
            # Plugins read a body with the content type JSON into memory before they check the credential.
            scope = {
                **scope,
                "headers": [
                    *without(scope["headers"], b"content-type"),
                    (b"content-type", b"application/octet-stream"),
                ],
            }
        if size is not None and size > limit:
            await too_large(send, limit, field)
            return
        if (size is None or size > UNCHECKED_BYTES) and await self.is_refused(scope, send):
            return
        if size is not None:
            await self.application(scope, receive, send)
        elif is_upload:
            await self.counted(scope, limit, receive, send)
        else:
            try:
                messages = await whole(receive, limit)
            except TooLarge:
                await too_large(send, limit, field)
                return
            await self.application(scope, replayed(messages, receive), send)

    async def is_refused(self, scope: Message, send: Send) -> bool:
        """Checks the credential by a request to MLflow without a body. Returns true after it has passed on a 401."""
        if self.method is None:
            return False
        answered: list[Message] = []

        async def sent(message: Message) -> None:
            answered.append(message)

        headers = without(
            scope["headers"], b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"expect"
        )
        probe = {"method": "GET", "path": PROBE, "raw_path": PROBE.encode(), "query_string": b"experiment_id=0"}
        # The next request must not see the state of this one.
        state = dict(scope.get("state", {}))
        await self.application({**scope, **probe, "headers": headers, "state": state}, without_body(), sent)
        if answered and answered[0].get("status") != 401:
            return False
        for message in answered:
            await closing(send)(message)
        return True

    async def counted(self, scope: Message, limit: int, receive: Receive, send: Send) -> None:
        """Passes on a stream of unknown length, and ends with an error if it exceeds the limit."""
        size, is_over, has_answered = 0, False, False

        async def received() -> Message:
            nonlocal size, is_over
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                is_over = True
                raise TooLarge
            return message

        async def sent(message: Message) -> None:
            nonlocal has_answered
            if not is_over:
                has_answered = True
                await send(message)

        try:
            await self.application(scope, received, sent)
        except Exception:
            if not is_over:
                raise
        if is_over and not has_answered:
            await too_large(send, limit, "artifactStore.maxUploadSize")


def handled_without_credentials(handle: Application) -> Application:
    """Wraps a route's handler so that it gets no credential and no identity header."""

    async def stripped(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": without_credentials(scope["headers"])}
        await handle(scope, receive, send)

    return stripped


async def refuse(
    send: Send, size: int | None, status: int, code: str, message: str, *headers: tuple[bytes, bytes]
) -> None:
    await answer(send if size == 0 else closing(send), status, code, message, *headers)


async def too_large(send: Send, limit: int, field: str | None = None) -> None:
    remedy = "" if field is None else f" An administrator can raise spec.{field} in the MlflowServer."
    await answer(closing(send), 413, "REQUEST_LIMIT_EXCEEDED", f"The body has more than {limit} bytes.{remedy}")


def without(headers: Headers, *names: bytes) -> Headers:
    return [entry for entry in headers if entry[0].lower() not in names]

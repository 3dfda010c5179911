"""The layer around MLflow's application: what no application behind it has to decide, with every authentication method.

In this order: the client's address is removed; a request without a credential is answered; what is closed is answered; a body
that is too large is answered; and only then MLflow sees the request.
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
    #: Of an artifact, which is never held in memory.
    upload: int


class Guard:
    """The outermost layer but for the prefix."""

    def __init__(self, application: Application, method: Method | None, limits: Limits, *, gateway: bool) -> None:
        self.application = application
        self.method = method
        self.limits = limits
        self.gateway = gateway

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            # MLflow has none. An answer before the handshake is 403.
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        headers = without_addresses(scope["headers"])
        # Without an address MLflow takes nobody for local; of a sidecar it would be 127.0.0.6.
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

    async def without_credential(self, method: Method, scope: Message, size: int | None, receive: Receive, send: Send) -> None:
        is_read = scope["method"] in ("GET", "HEAD")
        if scope["method"] == "OPTIONS" or method.is_public(scope["path"]) or (method.has_login and is_read):
            if size is None or size > PUBLIC_BYTES:
                await too_large(send, PUBLIC_BYTES)
            else:
                await self.application(scope, receive, send)
            return
        challenge = [] if method.challenge is None else [(b"www-authenticate", method.challenge)]
        await refuse(send, size, 401, "UNAUTHENTICATED", "This server asks for a credential, and there is none.", *challenge)

    async def with_body(self, scope: Message, size: int | None, receive: Receive, send: Send) -> None:
        is_upload = is_artifact_upload(scope["method"], scope["path"])
        limit = self.limits.upload if is_upload else self.limits.request
        field = "artifactStore.maxUploadSize" if is_upload else "server.maxRequestBodySize"
        if is_upload:
            # Plugins read a body that calls itself JSON into memory before they look at the credential.
            scope = {**scope, "headers": [*without(scope["headers"], b"content-type"), (b"content-type", b"application/octet-stream")]}
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
        """Asks MLflow whether the credential is good, by a request without a body, and passes a 401 on."""
        if self.method is None:
            return False
        answered: list[Message] = []

        async def sent(message: Message) -> None:
            answered.append(message)

        headers = without(scope["headers"], b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"expect")
        probe = {"method": "GET", "path": PROBE, "raw_path": PROBE.encode(), "query_string": b"experiment_id=0"}
        # What one request leaves in its state, the next must not find.
        state = dict(scope.get("state", {}))
        await self.application({**scope, **probe, "headers": headers, "state": state}, without_body(), sent)
        if answered and answered[0].get("status") != 401:
            return False
        for message in answered:
            await closing(send)(message)
        return True

    async def counted(self, scope: Message, limit: int, receive: Receive, send: Send) -> None:
        """A stream of unknown length, which ends with an error where it becomes too long."""
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
    """A route's handler that cannot pass a credential on, or take a header for an identity."""

    async def stripped(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": without_credentials(scope["headers"])}
        await handle(scope, receive, send)

    return stripped


async def refuse(send: Send, size: int | None, status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> None:
    await answer(send if size == 0 else closing(send), status, code, message, *headers)


async def too_large(send: Send, limit: int, field: str | None = None) -> None:
    remedy = "" if field is None else f" An administrator can raise spec.{field} in the MlflowServer."
    await answer(closing(send), 413, "REQUEST_LIMIT_EXCEEDED", f"The body has more than {limit} bytes.{remedy}")


def without(headers: Headers, *names: bytes) -> Headers:
    return [entry for entry in headers if entry[0].lower() not in names]

"""MLflow's Flask application for mlflow-oidc-auth (11.0.2), in several threads.

The plugin runs it in one thread: while one request waits for the database or an artifact, all others wait. A request body above
64 KiB is in a file, and a long response is sent as the client reads it, as before. A response of known length is sent in parts of
256 KiB: files are read in parts of 8 KiB, and each message waits for the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from tempfile import SpooledTemporaryFile
from typing import Any

import anyio
import anyio.to_thread
from asgiref.wsgi import WsgiToAsgiInstance

from .protocol import Message, Receive, Send

#: A larger body is held in a file.
MEMORY_BYTES = 65536

#: Parts of a response with a known length are joined up to this size.
JOINED_BYTES = 262144

#: Fewer than the 15 connections of MLflow's pool and of the plugin's: the event loop reads sessions, and must not wait for a connection.
THREADS = anyio.CapacityLimiter(12)

BAD_REQUEST = b"Bad Request: Too many duplicate headers"


class Request(WsgiToAsgiInstance):
    """One request to the Flask application."""

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.scope = scope
        loop = asyncio.get_running_loop()

        def sent(message: Message) -> None:
            asyncio.run_coroutine_threadsafe(send(message), loop).result()

        with SpooledTemporaryFile(max_size=MEMORY_BYTES) as body:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    # The client has disconnected: there is no request to answer.
                    return
                body.write(message.get("body", b""))
                if not message.get("more_body"):
                    break
            body.seek(0)
            for message in await anyio.to_thread.run_sync(self.run, body, sent, limiter=THREADS):
                await send(message)

    def run(self, body: Any, sent: Callable[[Message], None]) -> list[Message]:
        """Runs the application. Returns what is left to send: the last part, or all of a short response."""
        try:
            environ = self.build_environ(self.scope, body)  # type: ignore[no-untyped-call]
        except ValueError:
            start = {"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"text/plain")]}
            return [start, {"type": "http.response.body", "body": BAD_REQUEST}]
        output = self.wsgi_application(environ, self.start_response)
        waiting: list[bytes] = []
        length = size = 0
        try:
            for part in output:
                if self.response_content_length is not None:
                    # No more than the length in the header.
                    part = part[: self.response_content_length - length]
                length += len(part)
                size += len(part)
                waiting.append(part)
                if length == self.response_content_length:
                    break
                # The client of a stream, whose length is unknown, may act on each part.
                if self.response_content_length is None or size >= JOINED_BYTES:
                    for message in self.messages(waiting):
                        sent(message)
                    waiting = []
                    size = 0
        finally:
            if (close := getattr(output, "close", None)) is not None:
                close()
        return [*self.messages(waiting), {"type": "http.response.body"}]

    def messages(self, parts: list[bytes]) -> list[Message]:
        """Returns a message with these parts, after the one that starts the response if it has not been sent."""
        messages: list[Message] = [] if self.response_started else [self.response_start]
        self.response_started = True
        if parts:
            messages.append({"type": "http.response.body", "body": b"".join(parts), "more_body": True})
        return messages


class FlaskInThreads:
    """In place of asgiref's adapter in the plugin."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await Request(self.application, 100)(scope, receive, send)  # type: ignore[no-untyped-call]


def install(adapter: Any) -> None:
    """`adapter` is the plugin's module that imports asgiref's adapter."""
    if not callable(getattr(adapter, "WSGIMiddleware", None)):
        raise RuntimeError(
            "This mlflow-oidc-auth runs MLflow in another way. It could process requests one after the other."
        )
    adapter.WSGIMiddleware = FlaskInThreads

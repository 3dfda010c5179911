"""Requests to an ASGI application, without a server."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

Headers = Sequence[tuple[str, str]]

#: The event loop of all requests, which also keeps its threads: to create them for each request takes as long as many a request.
RUNNER = asyncio.Runner()


class Body:
    """A body in parts, which counts what was read of it."""

    def __init__(self, *parts: bytes) -> None:
        self.left = list(parts)
        self.read = 0

    async def receive(self) -> Any:
        if not self.left:
            await asyncio.sleep(3600)
        part = self.left.pop(0)
        self.read += len(part)
        return {"type": "http.request", "body": part, "more_body": self.left != []}


class Answer:
    """What an application has sent."""

    def __init__(self, messages: list[Any]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])


def scope_of(method: str, target: str, headers: Headers = ()) -> dict[str, Any]:
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), *((name.lower().encode(), value.encode()) for name, value in headers)],
        # As a sidecar of Istio connects.
        "client": ("127.0.0.6", 40000),
        "server": ("127.0.0.1", 5000),
        "state": {},
    }


def asked(application: Any, method: str, target: str, headers: Headers = (), body: Body | bytes = b"") -> Answer:
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    sent = body if isinstance(body, Body) else Body(body)
    if isinstance(body, bytes) and body:
        headers = [*headers, ("content-length", str(len(body)))]

    async def run() -> None:
        await asyncio.wait_for(application(scope_of(method, target, headers), sent.receive, send), 120)

    RUNNER.run(run())
    return Answer(messages)

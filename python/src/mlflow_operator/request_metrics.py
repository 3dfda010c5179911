"""Metrics of requests, for Prometheus.

Each worker process counts in a file of its own in a shared directory: numbers at fixed places, mapped into memory, so that counting is one
addition. Labels have few values, none of which a client chooses. A process that is started in place of another one continues its file, so
counters never decrease.
"""

from __future__ import annotations

import asyncio
import bisect
import fcntl
import mmap
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from .protocol import Application, Message, Receive, Send
from .routes import segments

#: What a path belongs to.
ROUTES = ("artifacts", "experiments", "gateway", "graphql", "health", "models", "other", "pages", "runs", "traces")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other")
STATUSES = (
    *("200", "201", "202", "204", "206", "301", "302", "303", "304", "307", "308"),
    *("400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "499", "500", "501", "502", "503", "504"),
    *("1xx", "2xx", "3xx", "4xx", "5xx"),
)
#: Of a client that closed the connection before the response, as nginx has it.
CLOSED = 499
#: Upper bounds in seconds.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

ROUTE_NUMBERS = {name: number for number, name in enumerate(ROUTES)}
METHOD_NUMBERS = {name: number for number, name in enumerate(METHODS)}
STATUS_NUMBERS = {name: number for number, name in enumerate(STATUSES)}

#: By the first segment after `mlflow`.
OF_MLFLOW = {
    "artifacts": "artifacts",
    "datasets": "experiments",
    "experiments": "experiments",
    "gateway": "gateway",
    "gateway-proxy": "gateway",
    "get-trace-artifact": "traces",
    "logged-models": "models",
    "metrics": "runs",
    "model-versions": "models",
    "registered-models": "models",
    "runs": "runs",
    "server-info": "health",
    "traces": "traces",
    "unified-traces": "traces",
    "upload-artifact": "artifacts",
}
#: By the first segment of the other paths.
OTHERS = {
    "gateway": "gateway",
    "get-artifact": "artifacts",
    "graphql": "graphql",
    "health": "health",
    "login": "pages",
    "mlflow-artifacts": "artifacts",
    "oidc": "pages",
    "static-files": "pages",
    "version": "health",
}

#: Where the numbers are in a file.
COUNTS = len(ROUTES) * len(METHODS) * len(STATUSES)
DURATIONS = COUNTS + len(ROUTES) * (len(BUCKETS) + 1)
SUMS = DURATIONS + len(ROUTES)
NUMBERS = SUMS + len(ROUTES)
BYTES = 8 * NUMBERS


def route_of(path: str) -> str:
    """Returns one of the routes."""
    parts = segments(path)
    if not parts:
        return "pages"
    first, second = parts[0], parts[1] if len(parts) > 1 else ""
    if first == "mlflow":
        return OF_MLFLOW.get(second, "other")
    if second == "get-artifact":
        return "artifacts"
    if first == "v1" and second == "traces":
        return "traces"
    return OTHERS.get(first, "other")


def status_number(status: int) -> int:
    found = STATUS_NUMBERS.get(str(status))
    return STATUS_NUMBERS[f"{min(max(status // 100, 1), 5)}xx"] if found is None else found


class Numbers:
    """The numbers of one worker process. Only its event loop adds to them."""

    def __init__(self, directory: Path) -> None:
        self.file = claimed(directory)
        self.values = memoryview(mmap.mmap(self.file, BYTES)).cast("d")
        # Of a process that ended: its requests have ended with it.
        self.values[SUMS:NUMBERS] = memoryview(bytes(8 * len(ROUTES))).cast("d")

    def begin(self, route: int) -> None:
        self.values[SUMS + route] += 1

    def end(self, route: int, method: int, status: int, seconds: float) -> None:
        values = self.values
        values[SUMS + route] -= 1
        values[(route * len(METHODS) + method) * len(STATUSES) + status_number(status)] += 1
        values[COUNTS + route * (len(BUCKETS) + 1) + bisect.bisect_left(BUCKETS, seconds)] += 1
        values[DURATIONS + route] += seconds


def claimed(directory: Path) -> int:
    """Opens and locks the first file that no running process has. The lock ends with the process."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 0
    while True:
        file = os.open(directory / f"{number}.numbers", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            number += 1
            continue
        os.ftruncate(file, BYTES)
        return file


class Counted:
    """An application whose requests are counted: outside all other middleware."""

    def __init__(self, application: Application, numbers: Numbers, prefix: str) -> None:
        self.application = application
        self.numbers = numbers
        self.prefix = prefix

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        path: str = scope["path"]
        if self.prefix and path.startswith(self.prefix):
            path = path[len(self.prefix) :]
        route = ROUTE_NUMBERS[route_of(path)]
        method = METHOD_NUMBERS.get(scope["method"], len(METHODS) - 1)
        status = CLOSED

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        numbers = self.numbers
        numbers.begin(route)
        started = time.perf_counter()
        try:
            await self.application(scope, receive, sent)
        except Exception:
            if status == CLOSED:
                status = 500
            raise
        finally:
            numbers.end(route, method, status, time.perf_counter() - started)


def total(directory: Path) -> list[float]:
    """Returns the numbers of all worker processes, added."""
    found = [0.0] * NUMBERS
    for path in directory.glob("*.numbers"):
        data = path.read_bytes()
        if len(data) == BYTES:
            found = [one + other for one, other in zip(found, memoryview(data).cast("d"), strict=True)]
    return found


def text_of(values: Sequence[float], version: str) -> str:
    """Returns the numbers in Prometheus's text format."""
    return "\n".join([*lines_of(values, version), ""])


def lines_of(values: Sequence[float], version: str) -> Iterator[str]:
    yield from described("mlflow_server_info", "gauge", "The version of MLflow.")
    yield f'mlflow_server_info{{version="{version}"}} 1'
    name = "mlflow_server_http_requests_total"
    yield from described(name, "counter", "Requests that have ended.")
    counts = iter(values[:COUNTS])
    for route in ROUTES:
        for method in METHODS:
            for status in STATUSES:
                if count := next(counts):
                    yield f'{name}{{route="{route}",method="{method}",status="{status}"}} {count:.0f}'
    name = "mlflow_server_http_requests_in_progress"
    yield from described(name, "gauge", "Requests that have not ended.")
    for route, number in ROUTE_NUMBERS.items():
        yield f'{name}{{route="{route}"}} {values[SUMS + number]:.0f}'
    name = "mlflow_server_http_request_duration_seconds"
    yield from described(name, "histogram", "Time from the headers of a request to the end of its response.")
    for route, number in ROUTE_NUMBERS.items():
        begin = COUNTS + number * (len(BUCKETS) + 1)
        count = 0.0
        for bound, value in zip((*BUCKETS, "+Inf"), values[begin : begin + len(BUCKETS) + 1], strict=True):
            count += value
            yield f'{name}_bucket{{route="{route}",le="{bound}"}} {count:.0f}'
        yield f'{name}_sum{{route="{route}"}} {values[DURATIONS + number]:.6f}'
        yield f'{name}_count{{route="{route}"}} {count:.0f}'


def described(name: str, kind: str, text: str) -> Iterable[str]:
    return (f"# HELP {name} {text}", f"# TYPE {name} {kind}")


#: Of one request to the listener, in seconds, and of connections at a time: Prometheus has one.
TIMEOUT, CONNECTIONS = 5, 16


class Listener:
    """Serves `GET /metrics` and nothing else. It takes no body, and closes each connection after the response."""

    def __init__(self, directory: Path, version: str) -> None:
        self.directory = directory
        self.version = version
        self.connections = 0

    def run(self, host: str, port: int) -> None:
        """Serves until the process ends. One worker process has the port; another one opens it when that one ends."""
        while True:
            try:
                asyncio.run(self.serve(host, port))
            except OSError:
                time.sleep(1)

    async def serve(self, host: str, port: int) -> None:
        server = await asyncio.start_server(self.connected, host, port)
        async with server:
            await server.serve_forever()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.connections <= CONNECTIONS:
                async with asyncio.timeout(TIMEOUT):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self.response(head))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self.connections -= 1
            writer.close()

    def response(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        target = rest.partition(b" ")[0].partition(b"?")[0]
        if target != b"/metrics":
            return answer("404 Not Found", "This port serves /metrics.\n")
        if method != b"GET":
            return answer("405 Method Not Allowed", "Use GET.\n")
        return answer("200 OK", text_of(total(self.directory), self.version))


def answer(status: str, text: str) -> bytes:
    body = text.encode()
    kind = "text/plain; version=0.0.4; charset=utf-8"
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        + body
    )

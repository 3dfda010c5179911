"""Metrics of requests: what is counted, over several processes, and what the listener serves."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asgi import asked
from mlflow_operator.request_metrics import BUCKETS, ROUTES, Counted, Listener, Numbers, route_of, text_of, total

REQUESTS = "mlflow_server_http_requests_total"
DURATION = "mlflow_server_http_request_duration_seconds"
IN_PROGRESS = "mlflow_server_http_requests_in_progress"


class Application:
    """Answers with a status, and closes or fails where there is none."""

    def __init__(self) -> None:
        self.status: int | Exception | None = 200
        self.seen: list[str] = []
        self.text: Callable[[], str] = str

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.seen.append(self.text())
        if isinstance(self.status, Exception):
            raise self.status
        if self.status is not None:
            await send({"type": "http.response.start", "status": self.status, "headers": []})
            await send({"type": "http.response.body", "body": b""})


class Metrics(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.numbers = Numbers(self.directory)
        self.application = Application()
        self.application.text = self.text
        self.counted = Counted(self.application, self.numbers, "/clusters/c1")

    def text(self) -> str:
        return text_of(total(self.directory), "3.17.2")

    def value(self, name: str, **labels: str) -> float:
        """Of the only series with the labels; 0 if there is none."""
        named = ",".join(f'{label}="{value}"' for label, value in labels.items())
        found = re.findall(f"^{name}{{{re.escape(named)}}} (.*)$", self.text(), re.MULTILINE)
        self.assertLessEqual(len(found), 1)
        return float(found[0]) if found else 0

    def counts(self) -> list[str]:
        return re.findall(f"^{REQUESTS}{{(.*)}} [0-9]+$", self.text(), re.MULTILINE)

    def test_requests_by_route_method_and_status(self) -> None:
        asked(self.counted, "POST", "/api/2.0/mlflow/runs/log-metric")
        asked(self.counted, "POST", "/ajax-api/2.0/mlflow/runs/log-metric")
        self.application.status = 404
        asked(self.counted, "GET", "/clusters/c1/api/2.0/mlflow/registered-models/get")
        self.assertEqual(self.value(REQUESTS, route="runs", method="POST", status="200"), 2)
        self.assertEqual(self.value(REQUESTS, route="models", method="GET", status="404"), 1)
        self.assertEqual(self.value(f"{DURATION}_count", route="runs"), 2)
        self.assertEqual(self.value(f"{DURATION}_bucket", route="runs", le="+Inf"), 2)
        self.assertGreater(self.value(f"{DURATION}_sum", route="runs"), 0)

    def test_status_of_every_end(self) -> None:
        for status, label in ((299, "2xx"), (418, "4xx"), (511, "5xx"), (999, "5xx"), (ValueError(), "500")):
            self.application.status = status
            with contextlib.suppress(ValueError):
                asked(self.counted, "GET", f"/{label}")
            with self.subTest(label):
                self.assertTrue(any(f'status="{label}"' in line for line in self.counts()))
        self.assertEqual(self.value(REQUESTS, route="other", method="GET", status="5xx"), 2)

    def test_client_that_closes_the_connection(self) -> None:
        async def closed() -> None:
            async def application(*_: Any) -> None:
                await asyncio.sleep(60)

            counted = Counted(application, self.numbers, "")
            scope = {"type": "http", "method": "GET", "path": "/"}
            task = asyncio.create_task(counted(scope, lambda: None, lambda _: None))  # type: ignore[arg-type,return-value]
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])

        asyncio.run(closed())
        self.assertEqual(self.counts(), ['route="pages",method="GET",status="499"'])
        self.assertEqual(self.value(IN_PROGRESS, route="pages"), 0)

    def test_requests_in_progress(self) -> None:
        asked(self.counted, "GET", "/")
        self.assertIn(f'{IN_PROGRESS}{{route="pages"}} 1\n', self.application.seen[0])
        self.assertEqual(self.value(IN_PROGRESS, route="pages"), 0)

    def test_no_value_of_a_client_is_a_label(self) -> None:
        for number in range(200):
            secret = f"alice{number}"
            self.application.status = 200 + number
            asked(self.counted, f"GET{number}", f"/{secret}/api/2.0/mlflow/{secret}/x?user={secret}")
            asked(self.counted, "GET", f"/api/2.0/mlflow/{secret}", [("x-mlflow-workspace", secret)])
        self.assertNotIn("alice", self.text())
        self.assertLess(self.text().count("\n"), 300)

    def test_routes(self) -> None:
        for path, route in {
            "/": "pages",
            "/static-files/a.js": "pages",
            "/health": "health",
            "/version": "health",
            "/graphql": "graphql",
            "/v1/traces": "traces",
            "/v1/metrics": "other",
            "/api/3.0/mlflow/traces/search": "traces",
            "/api/2.0/mlflow/experiments/search": "experiments",
            "/api/2.0/mlflow/metrics/get-history": "runs",
            "/api/2.0/mlflow/logged-models/search": "models",
            "/get-artifact": "artifacts",
            "/model-versions/get-artifact": "artifacts",
            "/api/2.0/mlflow-artifacts/artifacts/a/b": "artifacts",
            "/gateway/openai/v1/chat": "gateway",
            "/ajax-api/2.0/mlflow/users/create": "other",
            "/metrics": "other",
        }.items():
            with self.subTest(path):
                self.assertEqual(route_of(path), route)
                self.assertIn(route, ROUTES)

    def test_all_processes_are_added(self) -> None:
        asked(self.counted, "GET", "/")
        other = Numbers(self.directory)
        asked(Counted(self.application, other, ""), "GET", "/")
        self.assertEqual(len(list(self.directory.iterdir())), 2)
        self.assertEqual(self.value(REQUESTS, route="pages", method="GET", status="200"), 2)

    def test_a_process_continues_the_counters_of_one_that_ended(self) -> None:
        program = (
            "import os, pathlib, sys; from mlflow_operator.request_metrics import Numbers;"
            "numbers = Numbers(pathlib.Path(sys.argv[1])); numbers.begin(0); numbers.begin(0);"
            "numbers.end(0, 0, 200, 0.1); os._exit(1)"
        )
        for ended in (1, 2, 3):
            subprocess.run(
                [sys.executable, "-c", program, self.directory],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                check=False,
            )
            self.assertEqual(self.value(REQUESTS, route=ROUTES[0], method="GET", status="200"), ended)
            self.assertEqual(self.value(IN_PROGRESS, route=ROUTES[0]), 1)
        Numbers(self.directory)
        self.assertEqual(self.value(IN_PROGRESS, route=ROUTES[0]), 0)
        self.assertEqual(len(list(self.directory.iterdir())), 2)

    def test_buckets(self) -> None:
        for seconds in (0, *BUCKETS, 1e6):
            self.numbers.begin(0)
            self.numbers.end(0, 0, 200, seconds)
        self.assertEqual(self.value(f"{DURATION}_bucket", route=ROUTES[0], le="0.005"), 2)
        self.assertEqual(self.value(f"{DURATION}_bucket", route=ROUTES[0], le="300.0"), 1 + len(BUCKETS))
        self.assertEqual(self.value(f"{DURATION}_bucket", route=ROUTES[0], le="+Inf"), 2 + len(BUCKETS))

    def test_websockets_and_lifespan_are_passed_on(self) -> None:
        for kind in ("websocket", "lifespan"):
            asyncio.run(self.counted({"type": kind}, None, asyncio.Queue().put))  # type: ignore[arg-type]
        self.assertEqual(self.counts(), [])


class Listening(unittest.TestCase):
    def answered(self, sent: bytes) -> bytes:
        """What the listener answers on a connection."""
        with tempfile.TemporaryDirectory() as directory:
            Numbers(Path(directory))
            listener = Listener(Path(directory), "3.17.2")

            async def run() -> bytes:
                server = await asyncio.start_server(listener.connected, "127.0.0.1", 0)
                async with server:
                    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                    writer.write(sent)
                    writer.write_eof()
                    received = await reader.read()
                    writer.close()
                    return received

            return asyncio.run(run())

    def test_serves_metrics(self) -> None:
        head, _, body = self.answered(b"GET /metrics?x=1 HTTP/1.1\r\nHost: 10.0.0.1:9090\r\n\r\n").partition(
            b"\r\n\r\n"
        )
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"text/plain; version=0.0.4", head)
        self.assertIn(f"Content-Length: {len(body)}".encode(), head)
        self.assertIn(b'mlflow_server_info{version="3.17.2"} 1\n', body)

    def test_serves_nothing_else(self) -> None:
        for path in (
            "/",
            "/api/2.0/mlflow/experiments/search",
            "//metrics",
            "/metrics/",
            "/metrics/..",
            "/health",
            "*",
        ):
            with self.subTest(path):
                self.assertTrue(self.answered(f"GET {path} HTTP/1.1\r\n\r\n".encode()).startswith(b"HTTP/1.1 404 "))
        self.assertTrue(self.answered(b"POST /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 405 "))

    def test_closes_connections_with_anything_else(self) -> None:
        for sent in (b"", b"GET /metrics HTTP/1.1\r\n", b"\x00" * 10, b"x" * 100_000):
            with self.subTest(sent[:20]), contextlib.suppress(ConnectionResetError):
                self.assertEqual(self.answered(sent), b"")


if __name__ == "__main__":
    unittest.main()

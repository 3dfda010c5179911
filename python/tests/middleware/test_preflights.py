"""Tests of preflight requests, with an application that reports the request it received."""

import asyncio
import itertools
import unittest
from typing import Any

from mlflow_operator.preflights import Preflights

ALLOWED, OTHER = "https://app.example.com", "https://evil.example.com"
PATHS = [
    "/",
    "/api/2.0/mlflow/runs/create",
    "/v1/traces",
    "/graphql",
    "/clusters/c1/mlflow/api/2.0/x",
    "//x",
    "/%2e%2e/x",
]


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def answered(
    *headers: tuple[str, str], method: str = "OPTIONS", path: str = "/", is_proxied: bool = True
) -> tuple[int, dict[str, str]]:
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        raise AssertionError("a body is read")

    layer = Preflights(application, [ALLOWED], is_proxied=is_proxied)
    asyncio.run(layer({"type": "http", "method": method, "path": path, "headers": encoded}, receive, send))
    return said[0]["status"], {name.decode(): value.decode() for name, value in said[0]["headers"]}


def preflight(origin: str) -> list[tuple[str, str]]:
    return [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ]


class Answering(unittest.TestCase):
    def test_an_allowed_origin_may_ask_with_every_method_and_header(self) -> None:
        for path, is_proxied in itertools.product(PATHS, [True, False]):
            status, headers = answered(*preflight(ALLOWED), path=path, is_proxied=is_proxied)
            self.assertEqual((status, headers["access-control-allow-origin"]), (200, ALLOWED))
            self.assertEqual(headers["access-control-allow-headers"], "authorization")
            self.assertIn("DELETE", headers["access-control-allow-methods"])

    def test_behind_a_proxy_the_application_sees_no_options(self) -> None:
        pairs = preflight(ALLOWED)
        for path in PATHS:
            for headers in [
                [],
                preflight(OTHER),
                preflight(f"{ALLOWED}.evil.example.com"),
                preflight(ALLOWED.upper()),
                preflight("null"),
                preflight("*"),
                pairs[:1],
                pairs[1:],
                [*pairs, ("origin", OTHER)],
                [*preflight(OTHER), ("origin", ALLOWED)],
                [("authorization", "Bearer x")],
            ]:
                status, answer = answered(*headers, path=path)
                self.assertEqual(status, 403, headers)
                self.assertNotIn("access-control-allow-origin", answer)

    def test_without_a_proxy_mlflow_answers_what_is_not_answered_here(self) -> None:
        self.assertEqual(answered(*preflight(OTHER), is_proxied=False)[0], 299)
        self.assertEqual(answered(is_proxied=False)[0], 299)

    def test_other_methods_go_on(self) -> None:
        for method in ["GET", "POST", "HEAD", "options", "OPTIONSX"]:
            self.assertEqual(answered(*preflight(ALLOWED), method=method)[0], 299)


if __name__ == "__main__":
    unittest.main(verbosity=2)

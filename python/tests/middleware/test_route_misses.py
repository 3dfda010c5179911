"""Paths that a router has no route for are cached, and change nothing else."""

import random
import unittest
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import Match, Mount

from asgi import asked, scope_of
from mlflow_operator import route_misses
from mlflow_operator.route_misses import Misses, cache_misses


async def flask(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def application() -> FastAPI:
    app = FastAPI()
    first, second = APIRouter(), APIRouter()

    @first.get("/api/a/{name}")
    def a(name: str) -> str:
        return f"a {name}"

    @second.post("/api/b")
    def b() -> str:
        return "b"

    app.include_router(first)
    app.include_router(second)
    app.mount("/", flask)
    return app


class RouteMissesTest(unittest.TestCase):
    def test_each_request_gets_to_the_same_route_as_without_it(self) -> None:
        plain, caching = application(), application()
        cache_misses(caching.routes)
        choices = random.Random(1)
        targets = [
            "/api/a/x",
            "/api/a/x%2Fy",
            "/api/a/x/y",
            "/api/a/",
            "/api/b",
            "/api/b/",
            "/api/c",
            "/",
            "/openapi.json",
            f"/api/a/{'x' * 300}",
        ]
        for _ in range(300):
            method, target = choices.choice(["GET", "POST", "HEAD", "OPTIONS"]), choices.choice(targets)
            found = [asked(app, method, target) for app in (plain, caching)]
            first, second = ((each.status, each.body) for each in found)
            self.assertEqual(first, second, (method, target))

    def test_a_miss_is_compared_once_for_each_method_and_spelling(self) -> None:
        calls: list[tuple[str, bytes]] = []

        def matches(scope: Any) -> tuple[Match, Any]:
            calls.append((scope["method"], scope["raw_path"]))
            return Match.NONE, {}

        matched = Misses().cached(0, matches)
        for _ in range(3):
            for method in ("GET", "POST"):
                for target in ("/api/a%2Fb", "/api/a/b"):
                    self.assertIs(matched(scope_of(method, target))[0], Match.NONE)
        self.assertEqual(len(calls), 4)
        self.assertEqual(len(set(calls)), 4)

    def test_what_matches_is_compared_each_time(self) -> None:
        calls: list[int] = []

        def matches(_: Any) -> tuple[Match, Any]:
            calls.append(1)
            return (Match.FULL if len(calls) % 2 else Match.PARTIAL), {"path_params": {}}

        matched = Misses().cached(0, matches)
        self.assertEqual([matched(scope_of("GET", "/x"))[0] for _ in range(4)], [Match.FULL, Match.PARTIAL] * 2)

    def test_it_is_bounded(self) -> None:
        misses = Misses(size=8)
        matched = misses.cached(0, lambda _: (Match.NONE, {}))
        for number in range(100):
            matched(scope_of("GET", f"/{number}"))
            matched(scope_of("GET", "/" + "x" * (route_misses.LONGEST_PATH + number)))
        self.assertEqual(len(misses._numbers), 8)
        self.assertTrue(all(len(str(key[2])) <= route_misses.LONGEST_PATH for key in misses._numbers))

    def test_mounts_are_left_alone(self) -> None:
        app = application()
        mount = next(route for route in app.routes if isinstance(route, Mount))
        cache_misses(app.routes)
        self.assertNotIn("matches", vars(mount))


if __name__ == "__main__":
    unittest.main()

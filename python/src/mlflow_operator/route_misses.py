"""Which of FastAPI's routers have no route for a path, cached.

FastAPI compares a path with all routes of all routers (about 500 with mlflow-oidc-auth) before the request gets to MLflow's Flask application,
which serves most requests. The result depends on nothing but the method and the path, decoded and as it was sent.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from starlette.routing import Match, Mount

from .protocol import Message

PATHS = 512
#: Longer paths are compared each time: clients choose them.
LONGEST_PATH = 256

Matches = Callable[[Message], tuple[Match, Message]]


class Misses:
    """By method and path, the numbers of the routers without a route for it."""

    def __init__(self, size: int = PATHS) -> None:
        self._size = size
        self._numbers: OrderedDict[tuple[object, ...], set[int]] = OrderedDict()

    def cached(self, number: int, matches: Matches) -> Matches:
        def matched(scope: Message) -> tuple[Match, Message]:
            path, raw_path = scope.get("path", ""), scope.get("raw_path") or b""
            if len(path) > LONGEST_PATH or len(raw_path) > LONGEST_PATH:
                return matches(scope)
            key = (scope["type"], scope.get("method"), path, raw_path, scope.get("root_path"))
            known = self._numbers.get(key)
            if known is not None and number in known:
                return Match.NONE, {}
            result = matches(scope)
            if result[0] is Match.NONE:
                if known is None:
                    known = self._numbers.setdefault(key, set())
                known.add(number)
                while len(self._numbers) > self._size:
                    self._numbers.popitem(last=False)
            return result

        return matched


def cache_misses(routes: Iterable[Any]) -> None:
    misses = Misses()
    for number, route in enumerate(routes):
        if not isinstance(route, Mount):
            route.matches = misses.cached(number, route.matches)

"""Compiles the functions that build the URLs of Flask's routes when they are called.

werkzeug compiles two for each route. MLflow has up to 460 routes and builds no URL of them when it answers requests: it is a twelfth of the time of a start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

Builder = Callable[..., tuple[str, str]]


def compile_late(rule: Any) -> None:
    """Changes werkzeug's Rule. Without its method, as in another version, routes are compiled as they are there."""
    compiler: Callable[[Any, bool], Builder] | None = getattr(rule, "_compile_builder", None)
    if compiler is None:
        return

    def compiled_late(route: Any, append_unknown: bool = True) -> Builder:
        @cache
        def compiled() -> Builder:
            return compiler(route, append_unknown)

        # Werkzeug binds the result to the route.
        return lambda *arguments, **values: compiled()(*arguments, **values)

    rule._compile_builder = compiled_late


def install() -> None:
    """Must be called before the first import of MLflow's server."""
    from werkzeug.routing import Rule

    compile_late(Rule)

"""Tests of the path prefix, with an application that reports the request it received."""

import asyncio
import json
import unittest
from typing import Any
from urllib.parse import unquote

from mlflow_operator.prefix import Prefixed, relative, seen_prefix

PREFIX = "/clusters/c1/mlflow"


async def application(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"location", scope["path"].encode()), (b"set-cookie", b"s=1; path=/; httponly; SameSite=lax")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    body = {
        "path": scope["path"],
        "raw": scope["raw_path"].decode(),
        "root": scope["root_path"],
        "seen": seen_prefix.get(),
    }
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def answered(
    target: str, host: str = "mlflow.team-a:5000", *, is_proxied: bool = True
) -> tuple[int, dict[str, str], dict[str, str]]:
    """The result of a request, whose path is sent unchanged: the status, the headers, and the request that the application received."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", host.encode())],
    }
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(Prefixed(application, PREFIX, "platform.example.com", is_proxied)(scope, receive, send))
    start, body = said
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, json.loads(body["body"]) if body["body"] else {}


class TakingOff(unittest.TestCase):
    def test_with_the_prefix_it_is_the_very_request_that_comes_without(self) -> None:
        for path in [
            "/",
            "/api/2.0/x",
            "//api",
            "/%2e%2e/api",
            "/v1%2ftraces",
            "/a%20b",
            "/..;/x",
            "/static-files/%00",
            "/x/",
        ]:
            with_it, without = answered(PREFIX + path)[2], answered(path)[2]
            self.assertEqual(
                [with_it["path"], with_it["raw"], with_it["root"]], [without["path"], without["raw"], without["root"]]
            )

    def test_it_is_taken_off_once(self) -> None:
        asked = answered(f"{PREFIX}{PREFIX}/api")[2]
        self.assertEqual([asked["path"], asked["root"]], [f"{PREFIX}/api", ""])

    def test_what_only_resembles_it_stays_as_it_is(self) -> None:
        for path in [
            f"{PREFIX}x/api",
            f"/{PREFIX}/api",
            "/clusters%2fc1/mlflow/api",
            "/clusters/c1/mlflo%77/api",
            "/Clusters/c1/mlflow/api",
            "/clusters/./c1/mlflow/api",
            "/clusters//c1/mlflow/api",
            f"http://platform.example.com{PREFIX}/api",
            f"{PREFIX}%2fapi",
            f"{PREFIX};/api",
        ]:
            asked = answered(path)[2]
            self.assertEqual([asked["path"], asked["raw"]], [unquote(path), path])

    def test_the_prefix_without_a_slash_leads_to_the_one_with_it(self) -> None:
        self.assertEqual(answered(f"{PREFIX}?a=b")[:2], (307, {"location": "mlflow/?a=b", "content-length": "0"}))

    def test_the_proxys_own_paths_lead_there_by_the_prefix_twice_behind_a_gateway_that_strips_it(self) -> None:
        _, headers, _ = answered("/oauth2/sign_out?rd=%2F")
        self.assertEqual(headers["location"], "../clusters/c1/mlflow/oauth2/sign_out?rd=%2F")
        self.assertEqual(answered("/oauth2/sign_out", is_proxied=False)[0], 200)


class WhatGoesBack(unittest.TestCase):
    def test_a_redirect_is_relative_so_it_is_right_with_the_prefix_and_without(self) -> None:
        self.assertEqual(relative(b"/callback", b"/oidc/ui/?x#/y"), b"./oidc/ui/?x#/y")
        self.assertEqual(relative(b"/a/b/c", b"/"), b"../../")
        self.assertEqual(relative(b"/oidc/ui", b"http://h:1/oidc/ui/", b"h:1"), b"../oidc/ui/")
        self.assertEqual(relative(b"/", b"/x:y"), b"./x:y")

    def test_one_that_leads_elsewhere_stays(self) -> None:
        for target in [
            b"https://id.example.com/auth",
            b"//evil.example.com/",
            b"x",
            b"http://h:12/",
            b"http://h:1.evil/",
        ]:
            self.assertEqual(relative(b"/a", target, b"h:1"), target)

    def test_a_cookie_is_for_the_prefix_only_where_it_goes_outside(self) -> None:
        narrow, wide = "s=1; Path=/clusters/c1/mlflow; httponly; SameSite=lax", "s=1; path=/; httponly; SameSite=lax"
        self.assertEqual(answered(f"{PREFIX}/x")[1]["set-cookie"], narrow)
        self.assertEqual(answered("/x", "platform.example.com")[1]["set-cookie"], narrow)
        self.assertEqual(answered("/x")[1]["set-cookie"], wide)

    def test_an_application_can_tell_what_the_browser_sees(self) -> None:
        self.assertEqual(answered(f"{PREFIX}/x")[2]["seen"], PREFIX)
        self.assertEqual(answered("/x", "platform.example.com")[2]["seen"], PREFIX)
        self.assertEqual(answered("/x")[2]["seen"], "")


if __name__ == "__main__":
    unittest.main()

"""Tests of the caller's identity, with an application that reports the request it received."""

import asyncio
import json
import unittest
from typing import Any

from mlflow_operator.kubernetes_identity import STATE, Identified
from mlflow_operator.token_identity import Expired, Identity, Refused

SIGN_IN = "/oauth2/start?rd=%2F"


class Known:
    """Tokens by name, in place of real ones."""

    def cached(self, _: str) -> None:
        return None

    def identity(self, token: str) -> Identity:
        if token == "expired":
            raise Expired("it has expired")
        if token != "good":
            raise Refused("it is no token")
        return Identity("ada", ("ml",))


async def application(scope: Any, receive: Any, send: Any) -> None:
    identity = scope["state"][STATE]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = {"user": identity and identity.user, "headers": sorted(name.decode() for name, _ in scope["headers"])}
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def answered(*headers: tuple[str, str], method: str = "GET", path: str = "/") -> tuple[int, dict[str, str], Any]:
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "method": method, "path": path, "headers": encoded}
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(Identified(application, Known(), SIGN_IN)(scope, receive, send))  # type: ignore[arg-type]
    start, body = said
    headers_of = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers_of, json.loads(body["body"]) if body["body"] else None


class Callers(unittest.TestCase):
    def test_only_one_good_bearer_token_names_a_user(self) -> None:
        good = ("authorization", "Bearer good")
        self.assertEqual(answered(good)[2]["user"], "ada")
        for headers in [
            [],
            [good, good],
            [good, ("authorization", "Basic YTpi")],
            [("authorization", "Basic YTpi")],
            [("authorization", "Bearer expired")],
            [("authorization", "Bearer other")],
            [("authorization", "Bearer \x00")],
            [("x-remote-user", "ada")],
        ]:
            self.assertIsNone(answered(*headers)[2]["user"], headers)

    def test_headers_by_which_a_client_could_claim_a_name_go_no_further(self) -> None:
        names = [
            "x-remote-user",
            "X_Forwarded_Access_Token",
            "x-forwarded-groups",
            "x-auth-request-user",
            "remote-user",
        ]
        self.assertEqual(answered(*((name, "ada") for name in names), ("accept", "*/*"))[2]["headers"], ["accept"])


class Sessions(unittest.TestCase):
    """The proxy keeps a session for longer than its token lasts."""

    expired = ("authorization", "Bearer expired")

    def test_a_browser_that_opens_the_page_is_led_to_the_sign_in(self) -> None:
        for accept in ["text/html", "text/html,application/xhtml+xml,*/*;q=0.8"]:
            status, headers, _ = answered(self.expired, ("accept", accept))
            self.assertEqual((status, headers["location"], headers["cache-control"]), (302, SIGN_IN, "no-store"))

    def test_a_script_or_a_program_is_not(self) -> None:
        page = ("accept", "text/html")
        for status, _, body in [
            answered(self.expired),
            answered(self.expired, ("accept", "*/*")),
            answered(self.expired, page, path="/api/2.0/mlflow/experiments/search"),
            answered(self.expired, page, method="POST"),
            answered(("authorization", "Bearer other"), page),
            answered(page),
        ]:
            self.assertEqual((status, body["user"]), (200, None))


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""Tests of the middleware around MLflow, with an application that reports the request it received."""

import gzip
import json
import unittest
import zlib
from typing import Any

from asgi import Answer, Body, Headers, asked
from mlflow_operator.bodies import PUBLIC_BYTES, UNCHECKED_BYTES, TooLarge, decompressed
from mlflow_operator.guard import Guard, Limits, handled_without_credentials
from mlflow_operator.headers import is_credential, plain
from mlflow_operator.methods import Method
from mlflow_operator.routes import is_artifact_upload, is_assistant, is_gateway, segments

LIMITS = Limits(request=4 * UNCHECKED_BYTES, upload=8 * UNCHECKED_BYTES)
ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/0/a"
GOOD = [("authorization", "Bearer good")]
CHUNKED = [("transfer-encoding", "chunked")]


class Application:
    """Answers 401 to all but one credential, after it has read the body, as MLflow does."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.read: list[int] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        scope.setdefault("state", {})["seen"] = True
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        self.read.append(size)
        is_good = (b"authorization", b"Bearer good") in scope["headers"]
        await send(
            {"type": "http.response.start", "status": 200 if is_good else 401, "headers": [(b"x-of", b"mlflow")]}
        )
        await send({"type": "http.response.body", "body": b"of MLflow"})


def method(**more: Any) -> Method:
    return Method(
        **{
            "credentials": (b"authorization",),
            "is_public": lambda path: path == "/health",
            "challenge": b"Basic",
            **more,
        }
    )


class Guarded(unittest.TestCase):
    def setUp(self) -> None:
        self.application = Application()

    def ask(self, verb: str, target: str, headers: Headers = (), body: Body | bytes = b"", **guard: Any) -> Answer:
        given = guard.pop("method", method())
        return asked(Guard(self.application, given, LIMITS, **{"gateway": False, **guard}), verb, target, headers, body)


class WithoutACredential(Guarded):
    def test_a_request_gets_401_in_json_before_its_body_is_read(self) -> None:
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "TRACE"):
            for length in ([("content-length", str(2 << 30))], CHUNKED):
                for target in ("/api/2.0/mlflow/runs/create", ARTIFACT, "/", "/ajax-api/3.0/mlflow/assistant/config"):
                    body = Body(b"x" * 1000)
                    answer = self.ask(verb, target, length, body)
                    self.assertEqual([answer.status, body.read, self.application.scopes], [401, 0, []])
                    self.assertEqual(json.loads(answer.body)["error_code"], "UNAUTHENTICATED")
                    self.assertEqual(
                        [answer.headers["www-authenticate"], answer.headers["connection"]], ["Basic", "close"]
                    )

    def test_an_empty_header_is_no_credential(self) -> None:
        for headers in (
            [("authorization", "")],
            [("authorization", "  ")],
            [("cookie", "session=1")],
            [("x-user", "admin")],
        ):
            self.assertEqual(self.ask("GET", "/api", headers).status, 401)

    def test_another_scheme_than_that_of_the_method_is_no_credential(self) -> None:
        for value, status in [
            ("Bearer x", 401),
            ("Basic", 401),
            ("basic x", "mlflow"),
            ("Basic x", "mlflow"),
            ("Basicx y", 401),
        ]:
            answer = self.ask("GET", "/api", [("authorization", value)], method=method(scheme=b"basic "))
            self.assertEqual(answer.headers.get("x-of") or answer.status, status, value)

    def test_what_is_public_is_served_with_a_small_body_only(self) -> None:
        self.assertEqual(self.ask("GET", "/health").body, b"of MLflow")
        self.assertEqual(self.ask("OPTIONS", "/api/2.0/mlflow/runs/create").body, b"of MLflow")
        for verb in ("POST", "OPTIONS"):
            for headers in ([("content-length", str(PUBLIC_BYTES + 1))], CHUNKED):
                body = Body(b"x")
                self.assertEqual([self.ask(verb, "/health", headers, body).status, body.read], [413, 0])

    def test_a_session_counts_by_the_name_of_its_cookie(self) -> None:
        oidc = method(session="s", has_login=True, challenge=None)
        for cookie, status in [("a=1; s=x", "mlflow"), ("s=x", "mlflow"), ("ss=x; as=y", None), ("a=s=1", None)]:
            answer = self.ask("POST", "/api", [("cookie", cookie)], method=oidc)
            self.assertEqual(answer.headers.get("x-of"), status)

    def test_a_page_is_answered_by_the_method_that_has_a_login(self) -> None:
        self.assertEqual(self.ask("GET", "/", method=method(has_login=True)).headers["x-of"], "mlflow")
        self.assertEqual(self.ask("POST", "/", method=method(has_login=True)).headers.get("x-of"), None)


class WithABadCredential(Guarded):
    def test_a_large_body_is_not_read(self) -> None:
        bad = [("authorization", "Bearer bad")]
        for length in ([("content-length", str(UNCHECKED_BYTES + 1))], CHUNKED):
            for target in ("/api/2.0/mlflow/runs/create", ARTIFACT):
                body = Body(b"x" * 1000)
                answer = self.ask("PUT", target, [*bad, *length], body)
                self.assertEqual([answer.status, answer.body, body.read], [401, b"of MLflow", 0])
                self.assertEqual(answer.headers["connection"], "close")
        self.assertEqual({scope["method"] for scope in self.application.scopes}, {"GET"})


class Bodies(Guarded):
    def test_a_body_up_to_the_limit_reaches_mlflow_as_it_is(self) -> None:
        half = b"x" * (LIMITS.request // 2)
        for headers, body in [
            ([("content-length", str(LIMITS.request))], Body(half, half)),
            (CHUNKED, Body(half, half)),
        ]:
            answer = self.ask("POST", "/api", [*GOOD, *headers], body)
            self.assertEqual([answer.status, self.application.read[-1]], [200, LIMITS.request])

    def test_a_larger_one_gets_413_with_the_field_to_change(self) -> None:
        answer = self.ask("POST", "/api", [*GOOD, ("content-length", str(LIMITS.request + 1))], Body(b"x"))
        self.assertEqual([answer.status, self.application.scopes], [413, []])
        self.assertIn("spec.server.maxRequestBodySize", answer.body.decode())
        many = Body(*[b"x" * UNCHECKED_BYTES] * 100)
        answer = self.ask("POST", "/api", [*GOOD, *CHUNKED], many)
        self.assertEqual([answer.status, many.read], [413, LIMITS.request + UNCHECKED_BYTES])

    def test_an_artifact_has_a_limit_of_its_own_and_streams(self) -> None:
        size = LIMITS.upload
        for headers in ([("content-length", str(size))], CHUNKED):
            answer = self.ask(
                "PUT", ARTIFACT, [*GOOD, *headers], Body(*[b"x" * UNCHECKED_BYTES] * (size // UNCHECKED_BYTES))
            )
            self.assertEqual([answer.status, self.application.read[-1]], [200, size])
        for headers in ([("content-length", str(size + 1))], CHUNKED):
            answer = self.ask("PUT", ARTIFACT, [*GOOD, *headers], Body(*[b"x" * UNCHECKED_BYTES] * 100))
            self.assertEqual(answer.status, 413)
            self.assertIn("artifactStore.maxUploadSize", answer.body.decode())

    def test_an_artifact_that_calls_itself_json_is_not_taken_for_it(self) -> None:
        self.ask("PUT", ARTIFACT, [*GOOD, ("content-type", "application/json")], b"{}")
        types = [value for name, value in self.application.scopes[-1]["headers"] if name == b"content-type"]
        self.assertEqual(types, [b"application/octet-stream"])

    def test_what_asks_for_the_credential_leaves_no_trace_in_the_request(self) -> None:
        self.ask(
            "POST", "/api", [*GOOD, ("content-length", str(2 * UNCHECKED_BYTES))], Body(b"x" * 2 * UNCHECKED_BYTES)
        )
        probe, request = self.application.scopes
        self.assertEqual([probe["method"], request["method"]], ["GET", "POST"])
        self.assertIsNot(probe["state"], request["state"])

    def test_a_lie_about_the_length_is_no_number(self) -> None:
        for length in ("-1", "+5", "1e9", "0x10", "abc", ""):
            self.assertIn(self.ask("POST", "/api", [*GOOD, ("content-length", length)]).status, (200, 413))

    def test_a_compressed_body_is_limited_by_what_it_becomes(self) -> None:
        text = b"x" * 5000
        raw = zlib.compressobj(wbits=-15)
        forms = [
            (gzip.compress(text), "gzip"),
            (zlib.compress(text), "deflate"),
            (raw.compress(text) + raw.flush(), "deflate"),
        ]
        for body, encoding in forms:
            self.assertEqual(decompressed(body, encoding, 5000), text)
            with self.assertRaises(TooLarge):
                decompressed(body, encoding, 4999)
            with self.assertRaises(ValueError):
                decompressed(body[:-9], encoding, 5000)
            with self.assertRaises(ValueError):
                decompressed(b"nothing", encoding, 5000)


class Closed(Guarded):
    SPELLINGS = ["{}", "/{}", "{}/", "/.{}", "/x/..{}"]

    def paths(self, *routes: str) -> list[str]:
        found = []
        for route in routes:
            parts = route.strip("/").split("/")
            forms = [route, route.upper(), "/" + "//".join(parts), "/" + "%2f".join(parts), "/" + "%252F".join(parts)]
            forms += [
                route.replace("a", "%61"),
                route.replace("t", "%2574"),
                route.replace("/", "\\"),
                route + ";x",
                route + "/x",
            ]
            found += [spelling.format(form) for form in forms for spelling in self.SPELLINGS]
        return found

    def test_the_assistant_is_not_there_with_every_method_root_and_spelling(self) -> None:
        roots = ["/ajax-api/3.0", "/api/3.0", "/api/2.0", "/ajax-api/2.0", ""]
        for path in self.paths(
            *(f"{root}/mlflow/assistant/{end}" for root in roots for end in ("config", "message", "sessions/1/stream"))
        ):
            for given in (method(), None):
                answer = self.ask("POST", path, GOOD, method=given, gateway=True)
                self.assertEqual([answer.status, self.application.scopes], [404, []], path)

    def test_the_gateway_is_not_there_unless_it_is_enabled(self) -> None:
        routes = [
            "/gateway/a/mlflow/invocations",
            "/gateway/mlflow/v1/chat/completions",
            "/api/3.0/mlflow/gateway/secrets/create",
        ]
        for path in self.paths(*routes, "/ajax-api/2.0/mlflow/gateway-proxy"):
            answer = self.ask("POST", path, GOOD)
            self.assertEqual([answer.status, self.application.scopes], [404, []], path)
            self.assertIn("spec.server.aiGateway", answer.body.decode())
        for route in routes:
            self.assertEqual(self.ask("POST", route, GOOD, gateway=True).status, 200)

    def test_what_only_has_such_a_name_is_served(self) -> None:
        for path in [
            f"{ARTIFACT}/mlflow/assistant/config",
            f"{ARTIFACT}/gateway",
            "/api/2.0/mlflow/runs/get?run_id=gateway",
            "/static-files/gateway",
        ]:
            self.assertEqual(self.ask("PUT", path, GOOD).status, 200, path)

    def test_a_path_is_what_is_left_of_it(self) -> None:
        self.assertEqual(segments("/ajax-api/3.0/mlflow/Assistant/x"), ["mlflow", "assistant", "x"])
        self.assertTrue(is_assistant(segments("/api/mlflow/./assistant")))
        self.assertTrue(is_gateway(segments("gateway")))
        self.assertFalse(is_artifact_upload("POST", ARTIFACT))
        self.assertFalse(is_artifact_upload("PUT", "/x" + ARTIFACT))


class WhoCalls(Guarded):
    ADDRESSES = [
        "X-Forwarded-For",
        "Forwarded",
        "X-Real-IP",
        "Via",
        "X_Forwarded_For",
        "x-forwarded_host",
        "X-Client-IP",
        "True-Client-IP",
    ]

    def test_is_known_by_no_address(self) -> None:
        self.ask("GET", "/api", [*GOOD, *((name, "127.0.0.1") for name in self.ADDRESSES)])
        [scope] = self.application.scopes
        self.assertEqual(
            [scope["client"], scope["headers"]], [None, [(b"host", b"localhost"), (b"authorization", b"Bearer good")]]
        )

    def test_is_unknown_to_handlers_once_it_is_authenticated(self) -> None:
        names = [
            "Authorization",
            "Cookie",
            "X-Forwarded-Access-Token",
            "X-Forwarded-User",
            "X_Forwarded_Email",
            "X-Auth-Request-Groups",
        ]
        names += [
            "X-Remote-User",
            "Remote-User",
            "x_remote_groups",
            "Proxy-Authorization",
            "Gap-Auth",
            "Kubeflow-Userid",
        ]
        headers = [(name, "secret") for name in names]
        kept = [
            ("x-mlflow-workspace", "team-a"),
            ("x-mlflow-experiment-id", "1"),
            ("user-agent", "a"),
            ("traceparent", "t"),
        ]
        application = Application()
        asked(handled_without_credentials(application), "POST", "/gateway/a/b", [*headers, *kept])
        self.assertEqual(
            {name.decode() for name, _ in application.scopes[0]["headers"]}, {"host", *(name for name, _ in kept)}
        )
        self.assertTrue(all(is_credential(plain(name.encode())) for name in names))

    def test_by_a_websocket_is_nobody(self) -> None:
        import asyncio

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        guard = Guard(self.application, None, LIMITS, gateway=False)
        asyncio.run(guard({"type": "websocket", "path": "/"}, Body().receive, send))
        self.assertEqual([sent[0]["type"], self.application.scopes], ["websocket.close", []])


if __name__ == "__main__":
    unittest.main()

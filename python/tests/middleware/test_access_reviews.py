"""Access reviews of the real plugin, sent to an API server that can be slow. Runs next to python/src."""

import asyncio
import dataclasses
import functools
import json
import os
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[name]

from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow_kubernetes_plugins.auth import authorizer as plugin  # noqa: E402
from mlflow_kubernetes_plugins.auth import core, middleware  # noqa: E402
from mlflow_kubernetes_plugins.auth.compiler import _compile_authorization_rules  # noqa: E402
from mlflow_kubernetes_plugins.auth.request_context import AuthorizationRequest  # noqa: E402
from starlette.responses import StreamingResponse  # noqa: E402

from mlflow_operator import access_reviews  # noqa: E402
from mlflow_operator.access_reviews import Reviews, SingleFlight  # noqa: E402

access_reviews.install()
_compile_authorization_rules()


class ApiServer:
    """Answers reviews after `delay` seconds: a caller or namespace `denied-…` has no permission, `unknown` is 401. Lists the reviews."""

    def __init__(self) -> None:
        self.delay: dict[str, float] = {}
        self.reviews: list[str] = []
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["content-length"])))
                caller = review["spec"].get("user") or self.headers["authorization"].removeprefix("Bearer ")
                attributes = review["spec"]["resourceAttributes"]
                server.reviews.append(
                    f"{caller} {attributes['verb']} {attributes['resource']} {attributes['namespace']}"
                )
                if caller.startswith("slow"):
                    server.released.wait(30)
                time.sleep(server.delay.get(caller, 0))
                status = 401 if caller == "unknown" else 201
                body = json.dumps(
                    {
                        "spec": review["spec"],
                        "status": {
                            "allowed": not any(name.startswith("denied") for name in (caller, attributes["namespace"]))
                        },
                    }
                ).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self.http = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"


api = ApiServer()
kubeconfig = os.path.join(tempfile.mkdtemp(), "config")
with open(kubeconfig, "w") as file:
    cluster = {"name": "c", "cluster": {"server": api.address}}
    json.dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [cluster],
            "users": [{"name": "u", "user": {"token": "of-the-server"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        },
        file,
    )
os.environ["KUBECONFIG"] = kubeconfig
# In a pod the client would use the API server of the cluster.
os.environ.pop("KUBERNETES_SERVICE_HOST", None)
# The client reads it when it is imported.
from kubernetes.config import kube_config  # noqa: E402

kube_config.KUBE_CONFIG_DEFAULT_LOCATION = kubeconfig

SEARCH = ("/api/2.0/mlflow/experiments/search", "POST")
LOG = ("/api/2.0/mlflow/runs/log-metric", "POST")


def mode(name: str) -> plugin.AuthorizationMode:
    return plugin.AuthorizationMode[name]


class Decisions(unittest.TestCase):
    accessReview = "SELF_SUBJECT_ACCESS_REVIEW"

    def setUp(self) -> None:
        api.reviews.clear()
        api.delay.clear()
        api.released.clear()
        self.addCleanup(api.released.set)
        self.settings = plugin.KubernetesAuthConfig(
            authorization_mode=mode(self.accessReview), namespace="team", workspaces_enabled=False
        )
        self.authorizer = plugin.KubernetesAuthorizer(self.settings)
        self.addCleanup(self.authorizer.close)

    def request(self, caller: str, route: tuple[str, str] = LOG, workspace: str = "team") -> AuthorizationRequest:
        path, method = route
        values: dict[str, Any] = {field.name: None for field in dataclasses.fields(AuthorizationRequest)}
        values |= {
            "path": path,
            "method": method,
            "workspace": workspace,
            "path_params": {},
            "query_params": {},
            "json_body": {},
        }
        if self.accessReview == "SELF_SUBJECT_ACCESS_REVIEW":
            values["authorization_header"] = f"Bearer {caller}"
        else:
            values["remote_user_header_value"] = caller
        return AuthorizationRequest(**values)

    async def decide(self, caller: str, route: tuple[str, str] = LOG, workspace: str = "team") -> str:
        try:
            result = await middleware._authorize_request_async(
                self.request(caller, route, workspace), authorizer=self.authorizer, config_values=self.settings
            )
        except MlflowException as error:
            return str(error.error_code)
        assert isinstance(result, core._AuthorizationResult)
        return "allowed"

    def test_a_hundred_callers_at_once_send_one_review_for_each_question(self) -> None:
        api.delay = {"ada": 0.3, "bob": 0.3}

        async def run() -> list[str]:
            callers = [
                self.decide(caller, route) for _ in range(25) for caller in ("ada", "bob") for route in (LOG, SEARCH)
            ]
            return await asyncio.gather(*callers)

        self.assertEqual(asyncio.run(run()), ["allowed"] * 100)
        self.assertEqual(len(api.reviews), len(set(api.reviews)), api.reviews)
        self.assertEqual(len(api.reviews), 4)
        # The cache of the plugin answers from now on.
        self.assertEqual(asyncio.run(self.decide("ada")), "allowed")
        self.assertEqual(len(api.reviews), 4)

    def test_a_hundred_threads_at_once_send_one_review(self) -> None:
        """In threads, as MLflow's GraphQL resolvers do."""
        api.delay = {"ada": 0.3}
        identity = core._RequestIdentity(token="ada", user="ada")
        with ThreadPoolExecutor(100) as threads:
            asked = [
                threads.submit(self.authorizer.is_allowed, identity, "experiments", "get", "team") for _ in range(100)
            ]
            self.assertEqual({each.result() for each in asked}, {True})
        self.assertEqual(len(api.reviews), 1)

    def test_each_caller_and_workspace_has_an_answer_of_its_own(self) -> None:
        async def run() -> None:
            pairs = [(caller, workspace) for caller in ("ada", "denied-eve") for workspace in ("team", "other")]
            answers = await asyncio.gather(*(self.decide(caller, LOG, workspace) for caller, workspace in pairs))
            self.assertEqual(answers, ["allowed", "allowed", "PERMISSION_DENIED", "PERMISSION_DENIED"])
            for _ in range(2):
                self.assertEqual(await self.decide("denied-eve"), "PERMISSION_DENIED")
            self.assertEqual(await self.decide("ada"), "allowed")

        asyncio.run(run())
        self.assertEqual(len({review.rsplit(" ", 1)[-1] for review in api.reviews}), 2)
        self.assertEqual(len({review.split(" ", 1)[0] for review in api.reviews}), 2)

    def test_a_slow_api_server_does_not_stop_callers_whose_answers_are_cached(self) -> None:
        async def run() -> None:
            self.assertEqual(await self.decide("ada"), "allowed")
            slow = [asyncio.create_task(self.decide(f"slow-{number}")) for number in range(100)]
            while not any(review.startswith("slow") for review in api.reviews):
                await asyncio.sleep(0.01)
            began = time.monotonic()
            for _ in range(20):
                self.assertEqual(await self.decide("ada"), "allowed")
            self.assertFalse(any(each.done() for each in slow))
            api.released.set()
            self.assertEqual(set(await asyncio.gather(*slow)), {"allowed"})
            self.assertLess(time.monotonic() - began, 30)

        asyncio.run(run())

    def test_a_client_that_disconnects_does_not_cancel_the_review_of_the_others(self) -> None:
        async def run() -> None:
            first = asyncio.create_task(self.decide("slow"))
            while not api.reviews:
                await asyncio.sleep(0.01)
            second = asyncio.create_task(self.decide("slow"))
            await asyncio.sleep(0)
            first.cancel()
            api.released.set()
            self.assertEqual(await second, "allowed")

        asyncio.run(run())
        self.assertEqual(len(api.reviews), len(set(api.reviews)))

    def test_a_list_of_workspaces_is_filtered_outside_of_the_event_loop(self) -> None:
        names = [f"team-{number}" for number in range(5)] + [f"denied-{number}" for number in range(5)]
        identity = core._RequestIdentity(token="ada", user="ada")
        rules: Any = [SimpleNamespace(apply_workspace_filter=True)]
        result = core._AuthorizationResult(identity, rules, self.request("ada"), "ada")
        filtering = middleware.KubernetesAuthMiddleware(
            app=None, authorizer=self.authorizer, config_values=self.settings
        )

        async def filtered() -> list[str]:
            body = json.dumps({"workspaces": [{"name": name} for name in names]}).encode()
            response = StreamingResponse(iter([body]), media_type="application/json")
            await filtering._apply_response_authorization_filters(response, auth_result=result)
            parts: list[Any] = [part async for part in response.body_iterator]
            return [each["name"] for each in json.loads(b"".join(parts))["workspaces"]]

        async def run() -> None:
            lists = await asyncio.gather(*(filtered() for _ in range(10)))
            self.assertEqual(lists, [names[:5]] * 10)

        asyncio.run(run())
        self.assertEqual(len(api.reviews), len(set(api.reviews)))


class DecisionsByName(Decisions):
    accessReview = "SUBJECT_ACCESS_REVIEW"


class Failures(Decisions):
    def test_a_rejected_token_is_asked_about_again_and_is_never_cached_as_allowed(self) -> None:
        async def run() -> None:
            for asked in (1, 2):
                answers = await asyncio.gather(*(self.decide("unknown") for _ in range(20)))
                self.assertEqual(set(answers), {"UNAUTHENTICATED"})
                self.assertEqual(len(api.reviews), asked)

        asyncio.run(run())

    def test_an_api_server_that_is_away_allows_nothing(self) -> None:
        self.authorizer._base_configuration.host = "http://127.0.0.1:9"
        self.assertEqual(asyncio.run(self.decide("ada")), "TEMPORARILY_UNAVAILABLE")
        self.authorizer._base_configuration.host = api.address
        self.assertEqual(asyncio.run(self.decide("ada")), "allowed")

    def test_a_list_that_cannot_be_filtered_is_replaced_by_the_error(self) -> None:
        self.authorizer._base_configuration.host = "http://127.0.0.1:9"
        identity = core._RequestIdentity(token="ada", user="ada")
        rules: Any = [SimpleNamespace(apply_workspace_filter=True)]
        result = core._AuthorizationResult(identity, rules, self.request("ada"), "ada")
        filtering = middleware.KubernetesAuthMiddleware(
            app=None, authorizer=self.authorizer, config_values=self.settings
        )

        async def run() -> None:
            body = json.dumps({"workspaces": [{"name": "team"}]}).encode()
            response = StreamingResponse(iter([body]), media_type="application/json")
            await filtering._apply_response_authorization_filters(response, auth_result=result)
            parts: list[Any] = [part async for part in response.body_iterator]
            error = {"code": "TEMPORARILY_UNAVAILABLE", "message": access_reviews.UNAVAILABLE}
            self.assertEqual((response.status_code, json.loads(b"".join(parts))), (503, {"error": error}))
            self.assertEqual(response.headers["content-length"], str(len(b"".join(parts))))

        asyncio.run(run())

    def test_an_answer_ends_with_the_time_of_the_cache(self) -> None:
        self.settings = dataclasses.replace(self.settings, cache_ttl_seconds=0.2)
        self.authorizer = plugin.KubernetesAuthorizer(self.settings)
        self.assertEqual(asyncio.run(self.decide("ada")), "allowed")
        before = len(api.reviews)
        time.sleep(0.3)
        self.assertEqual(asyncio.run(self.decide("ada")), "allowed")
        self.assertEqual(len(api.reviews), 2 * before)


class Waiting(unittest.TestCase):
    def test_a_decision_ends_even_if_nothing_stays_in_the_cache(self) -> None:
        reviews = Reviews()
        asked: list[str] = []

        def ask(name: str) -> bool:
            asked.append(name)
            return name != "b"

        async def decide(*names: str) -> list[bool]:
            known: Any = access_reviews.answers.get()
            for name in names:
                if name not in known:
                    raise access_reviews.Unanswered(name, functools.partial(ask, name))
            return [known[name] for name in names]

        decided = access_reviews.without_waiting(decide, reviews)
        self.assertEqual(asyncio.run(decided("a", "b", "c")), [True, False, True])
        self.assertEqual(asked, ["a", "b", "c"])
        self.assertIsNone(access_reviews.answers.get())

    def test_calls_for_one_key_share_result_and_exception_and_leave_nothing(self) -> None:
        for outcome in ["result", ValueError("no")]:
            flights, calls, begun = SingleFlight(), [], threading.Event()

            def call() -> Any:
                calls.append(1)
                begun.wait(10)
                if isinstance(outcome, Exception):
                    raise outcome
                return outcome

            with ThreadPoolExecutor(50) as threads:
                futures = [threads.submit(flights.run, "key", call) for _ in range(50)]
                while not calls:
                    time.sleep(0.01)
                begun.set()
                results = [each.exception() or each.result() for each in futures]
            self.assertEqual(results, [outcome] * 50)
            self.assertEqual(flights._running, {})


if __name__ == "__main__":
    unittest.main(verbosity=2)

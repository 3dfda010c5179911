"""Tests of artifact locations in a real MLflow, with every route and message that it has.

If a new MLflow adds a route or a field, a test fails until a contributor has decided whether the server uses it as a location:
then it is one of `mlflow_operator.locations.FIELDS`; if not, it is written down in `decided-fields.txt` or `decided-routes.txt`, next to this file.
"""

import inspect
import json
import os
import re
import tempfile
import typing
import unittest
from pathlib import Path
from typing import Any

FOLDER = tempfile.mkdtemp()
ROOT = "s3://bucket/mlflow"
os.environ.update(
    {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{FOLDER}/mlflow.db",
        "_MLFLOW_SERVER_ARTIFACT_ROOT": ROOT,
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"{FOLDER}/files",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:1",
    }
)

import mlflow.server.fastapi_app  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.server import handlers  # noqa: E402
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository  # noqa: E402
from pydantic import BaseModel  # noqa: E402

from asgi import Answer, asked  # noqa: E402
from mlflow_operator import locations  # noqa: E402
from mlflow_operator.app import check_closed, limit_decompression, module_of, routes_of, strip_credentials  # noqa: E402
from mlflow_operator.locations import FIELDS, Roots  # noqa: E402

HERE = Path(__file__).parent
JSON = [("content-type", "application/json")]
LOCATION = re.compile(
    r"uri|url|location|source|path|root|artifact|bucket|file|dir|host|endpoint|storage|destination", re.IGNORECASE
)

#: Locations of other owners or of the machine, in each scheme of MLflow and in other spellings.
OTHER_LOCATIONS = [
    *(
        "s3://other/x",
        "S3://bucket/mlflow/x",
        "s3://bucket/other",
        "s3://bucket/mlflowx",
        "s3://bucket/mlflow/../other",
        "s3://bucket",
    ),
    *(
        "s3://bucket/mlflow/%2e%2e/other",
        "s3://bucket/mlflow/%252e%252e/other",
        "s3://bucket/mlflow\\..\\other",
        "s3://u:p@bucket/mlflow/x",
    ),
    *(
        "s3://bucket/mlflow/x?versionId=1",
        "s3://bucket/mlflow/x#y",
        "s3:/bucket/mlflow/x",
        "s3:bucket/mlflow",
        " s3://bucket/mlflow/x",
    ),
    *(
        "s3://bucket/mlflow/x\n",
        "s3://bucket\t/mlflow/x",
        "s3://bucket//../mlflow",
        "s3a://bucket/mlflow/x",
        "r2://bucket@a/mlflow",
        "b2://bucket/x",
    ),
    *(
        "gs://bucket/mlflow/x",
        "wasbs://c@a.blob.core.windows.net/x",
        "abfss://c@a.dfs.core.windows.net/x",
        "hdfs://h/x",
        "hdfs:/x",
        "viewfs://h/x",
    ),
    *(
        "dbfs:/x",
        "dbfs:/Volumes/a/b/c",
        "ftp://h/x",
        "sftp://h/x",
        "http://h/x",
        "https://h/api/2.0/mlflow-artifacts/artifacts/x",
        "file:///etc",
    ),
    *(
        "FILE:///etc",
        "file:/etc",
        "file://h/etc",
        "/etc",
        "//h/etc",
        "etc",
        "./etc",
        "../etc",
        "C:\\etc",
        "oci://h/x",
        "data:,x",
        "uc:/x",
        "ipfs://x",
    ),
    *(
        "mlflow-artifacts://h/x",
        "mlflow-artifacts:/../x",
        "mlflow-artifacts:/a/%2e%2e/x",
        "mlflow-artifacts://h:80/x",
        "MLFLOW-ARTIFACTS://h/x",
    ),
]


def setUpModule() -> None:
    locations.install(["s3://former/mlflow"])
    limit_decompression(1 << 20)


def ask(method: str, target: str, body: Any = None, headers: Any = JSON) -> Answer:
    sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return asked(mlflow.server.fastapi_app.app, method, target, headers, sent)


def camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


class OfEachStore(unittest.TestCase):
    ROOTS = (
        "s3://bucket/mlflow",
        "gs://bucket/mlflow",
        "wasbs://mlflow@models.blob.core.windows.net/mlflow",
        "wasbs://mlflow@models.blob.core.windows.net",
    )

    def test_is_below_the_root_and_of_the_workspace(self) -> None:
        for root in self.ROOTS:
            alone, shared = Roots([root], has_workspaces=False), Roots([root], has_workspaces=True)
            for location in (root, f"{root}/1", f"{root}/1/artifacts/a b"):
                self.assertTrue(alone.permits(location, None), location)
            self.assertTrue(shared.permits(f"{root}/workspaces/a/1", "a"))
            for location in (f"{root}/workspaces/b/1", f"{root}/1", root, f"{root}/workspaces/a/../b"):
                self.assertFalse(shared.permits(location, "a"), location)

    def test_of_azure_has_its_container_and_account(self) -> None:
        roots = Roots(["wasbs://mlflow@models.blob.core.windows.net/x"], has_workspaces=False)
        for location in (
            *("wasbs://other@models.blob.core.windows.net/x/1", "wasbs://mlflow@other.blob.core.windows.net/x/1"),
            *("wasbs://models.blob.core.windows.net/x/1", "wasbs://a:b@models.blob.core.windows.net/x/1"),
            *("wasbs://mlflow@a@models.blob.core.windows.net/x/1", "wasbs://mlflow%40models.blob.core.windows.net/x/1"),
            *("wasb://mlflow@models.blob.core.windows.net/x/1", "abfss://mlflow@models.blob.core.windows.net/x/1"),
            *("WASBS://mlflow@models.blob.core.windows.net/x/1", "wasbs://mlflow@models.blob.core.windows.net:443/x/1"),
            *(
                "wasbs://mlflow@models.blob.core.windows.net/x/../y",
                "wasbs://mlflow@models.blob.core.windows.net/x?sig=a",
            ),
        ):
            self.assertFalse(roots.permits(location, None), location)


class OfARequest(unittest.TestCase):
    number = 0

    def experiment(self, **fields: Any) -> Answer:
        OfARequest.number += 1
        return ask("POST", "/api/2.0/mlflow/experiments/create", {"name": f"e{OfARequest.number}", **fields})

    def test_of_an_experiment_is_one_of_this_server(self) -> None:
        for location in OTHER_LOCATIONS:
            for field in ("artifact_location", "artifactLocation"):
                answer = self.experiment(**{field: location})
                self.assertEqual(answer.status, 400, location)
                self.assertIn(b"artifact_location", answer.body, location)
        for location in (f"{ROOT}/1", ROOT, "mlflow-artifacts:/1", "s3://former/mlflow/1"):
            self.assertEqual(self.experiment(artifact_location=location).status, 200, location)

    def test_comes_by_both_roots_in_every_form_of_a_body(self) -> None:
        good, bad = '"artifact_location": "mlflow-artifacts:/1"', '"artifact_location": "s3://other/x"'
        bodies = [
            f'{{"name": "%s", {good}, {bad}}}',
            f'{{"name": "%s", {bad}, "artifactLocation": "mlflow-artifacts:/1"}}',
            '{"name": "%s", "artifact_\\u006cocation": "\\u00733://other/x"}',
            json.dumps(f'{{"name": "%s", {bad}}}'),
            f'\n{{"name": "%s", {bad}, "unknown": 1}}',
        ]
        types = [
            "application/json",
            "application/json; charset=utf-8",
            "text/plain",
            "application/x-www-form-urlencoded",
            "APPLICATION/JSON",
        ]
        for root in ("/api", "/ajax-api"):
            for body in bodies:
                for kind in types:
                    OfARequest.number += 1
                    sent = (body % f"f{OfARequest.number}").encode()
                    answer = ask("POST", f"{root}/2.0/mlflow/experiments/create", sent, [("content-type", kind)])
                    self.assertEqual(answer.status, 400, (body, kind))
        found = json.loads(ask("POST", "/api/2.0/mlflow/experiments/search", {"max_results": 1000}).body)
        self.assertEqual([each for each in found["experiments"] if "other" in each["artifact_location"]], [])

    def test_of_a_model_version_is_one_of_the_run_or_model_that_it_names(self) -> None:
        ask("POST", "/api/2.0/mlflow/registered-models/create", {"name": "m"})
        experiment = json.loads(self.experiment().body)["experiment_id"]
        run = json.loads(ask("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": experiment}).body)["run"]["info"]
        other = json.loads(ask("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": experiment}).body)["run"][
            "info"
        ]
        create = "/api/2.0/mlflow/model-versions/create"
        for source in [
            *OTHER_LOCATIONS,
            f"{ROOT}/9/other/artifacts",
            other["artifact_uri"],
            f"runs:/{other['run_id']}/m",
            "models:/m-123",
        ]:
            for more in ({}, {"run_id": run["run_id"]}):
                for root in ("/api", "/ajax-api"):
                    answer = ask("POST", root + create.removeprefix("/api"), {"name": "m", "source": source, **more})
                    self.assertIn(answer.status, (400, 404), (source, more, answer.body))
        own = f"{run['artifact_uri']}/my model"
        for source in (own, f"runs:/{run['run_id']}/my model"):
            answer = ask("POST", create, {"name": "m", "source": source, "run_id": run["run_id"]})
            self.assertEqual(answer.status, 200, (source, answer.body))
        copy = ask("POST", create, {"name": "m", "source": "models:/m/1"})
        self.assertEqual(copy.status, 200, copy.body)

    def test_of_a_prompt_is_none(self) -> None:
        ask(
            "POST",
            "/api/2.0/mlflow/registered-models/create",
            {"name": "p", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]},
        )
        tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}, {"key": "mlflow.prompt.text", "value": "x"}]
        version = {"name": "p", "tags": tags}
        create = "/api/2.0/mlflow/model-versions/create"
        self.assertEqual(
            [ask("POST", create, {**version, "source": source}).status for source in OTHER_LOCATIONS],
            [400] * len(OTHER_LOCATIONS),
        )
        for placeholder in locations.PLACEHOLDERS:
            self.assertEqual(ask("POST", create, {**version, "source": placeholder}).status, 200)

    def test_of_a_trace_is_that_of_the_server(self) -> None:
        experiment = json.loads(self.experiment().body)["experiment_id"]
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
        for key in sorted(locations.TAGS):
            for location in OTHER_LOCATIONS:
                info = {
                    "trace_id": "tr-1",
                    "trace_location": place,
                    "request_time": "2026-01-01T00:00:00Z",
                    "state": "OK",
                    "tags": {key: location},
                }
                self.assertEqual(
                    ask("POST", "/api/3.0/mlflow/traces", {"trace": {"trace_info": info}}).status, 400, location
                )
        answer = ask(
            "POST",
            "/api/3.0/mlflow/traces",
            {"trace": {"trace_info": {**info, "trace_id": "tr-2", "tags": {"a": "b"}}}},
        )
        self.assertEqual(answer.status, 200, answer.body)
        for key in sorted(locations.TAGS):
            for root, version in (("/api", "2.0"), ("/api", "3.0"), ("/ajax-api", "2.0"), ("/ajax-api", "3.0")):
                answer = ask(
                    "PATCH", f"{root}/{version}/mlflow/traces/tr-2/tags", {"key": key, "value": "s3://other/x"}
                )
                self.assertIn(answer.status, (400, 404), answer.body)
        # As if it had been stored by another request.
        handlers._get_tracking_store().set_trace_tag("tr-2", "mlflow.artifactLocation", f"{ROOT}/9/other/artifacts")
        answer = ask(
            "GET", "/ajax-api/2.0/mlflow/get-trace-artifact?request_id=tr-2&path=01234567-89ab-4def-8123-456789abcdef"
        )
        self.assertEqual(answer.status, 403, answer.body)

    def test_of_a_workspace_is_below_the_root(self) -> None:
        cases: list[tuple[str, dict[str, Any]]] = [("Create", {}), ("Update", {})]
        for location in OTHER_LOCATIONS:
            for name, fields in cases:
                message = getattr(handlers, f"{name}Workspace")()
                for field in FIELDS[f"mlflow.{name}Workspace"]:
                    target: Any = message
                    *steps, last = field.split(".")
                    for step in steps:
                        target = getattr(target, step)
                    setattr(target, last, location)
                    with self.assertRaises(MlflowException, msg=location):
                        locations.check_message(Roots([ROOT], has_workspaces=False), None, message)
                    target.ClearField(last)
                self.assertEqual(fields, {})

    def test_is_opened_nowhere_else(self) -> None:
        for location in OTHER_LOCATIONS:
            with self.assertRaises(MlflowException, msg=location) as raised:
                get_artifact_repository(location)
            self.assertEqual(raised.exception.error_code, "PERMISSION_DENIED")
        for location in (
            f"{ROOT}/1/run/artifacts",
            "s3://former/mlflow/1",
            f"{FOLDER}/files/1",
            f"file://{FOLDER}/files/1",
        ):
            get_artifact_repository(location)
        self.assertIsNotNone(handlers._get_artifact_repo_mlflow_artifacts())


class OfAWorkspace(unittest.TestCase):
    def test_is_below_its_own_root_alone(self) -> None:
        roots = Roots([ROOT], has_workspaces=True)
        own = f"{ROOT}/workspaces/team-a"
        for location in (own, f"{own}/1/run", "mlflow-artifacts:/workspaces/team-a/1", "runs:/1/m", "models:/m/1"):
            self.assertTrue(roots.permits(location, "team-a"), location)
        others = [
            *OTHER_LOCATIONS,
            ROOT,
            f"{ROOT}/1",
            f"{ROOT}/workspaces",
            f"{ROOT}/workspaces/team-b/1",
            f"{ROOT}/workspaces/team-ab",
            f"{ROOT}/x/workspaces/team-a",
        ]
        others += [
            "mlflow-artifacts:/",
            "mlflow-artifacts:/1",
            "mlflow-artifacts:/workspaces/team-b/1",
            "mlflow-artifacts:/%77orkspaces/team-b",
        ]
        for location in others:
            self.assertFalse(roots.permits(location, "team-a"), location)
        self.assertTrue(roots.permits(f"{ROOT}/1/run", "default"))
        self.assertFalse(roots.permits(f"{ROOT}/workspaces/team-b/1", "default"))
        self.assertTrue(roots.permits("s3://own/x/1", "team-a", "s3://own/x"))
        self.assertFalse(roots.permits("s3://own/y", "team-a", "s3://own/x"))


class Sweep(unittest.TestCase):
    maxDiff = None

    def decided(self, name: str) -> set[str]:
        lines = (HERE / name).read_text().splitlines()
        return {line for line in lines if line and not line.startswith("#")}

    def undecided(self, name: str, found: set[str]) -> None:
        if os.environ.get("UPDATE_DECIDED"):
            head = [line for line in (HERE / name).read_text().splitlines() if line.startswith("#")]
            (HERE / name).write_text("\n".join([*head, *sorted(found)]) + "\n")
        self.assertEqual(sorted(found - self.decided(name)), [], f"decide on these, and write them into {name}")

    def test_every_field_that_may_be_a_location_is_decided(self) -> None:
        found = {f"{of} {field}" for of, field in self.fields()}
        known = {f"{of} {field}" for of, fields in FIELDS.items() for field in fields}
        self.assertEqual(known - found, set(), "these fields are no longer there")
        self.undecided("decided-fields.txt", found - known)

    def test_every_route_is_decided(self) -> None:
        flask = {(re.sub(r"<(\w+:)?(\w+)>", r"{\2}", path), verb) for path, verb in self.flask()}
        native = {(path, verb) for path, verbs in self.native() for verb in verbs}
        without_root = {
            (re.sub(r"^/(ajax-)?api/\d\.\d", "", path), verb)
            for path, verb in flask | native
            if verb not in ("HEAD", "OPTIONS")
        }
        self.undecided("decided-routes.txt", {f"{verb} {path}" for path, verb in without_root})

    def test_every_route_of_the_assistant_and_the_gateway_is_known_for_one(self) -> None:
        check_closed(mlflow.server.fastapi_app.app)
        modules = {module_of(route) for route in routes_of(mlflow.server.fastapi_app.app)}
        self.assertLessEqual({"mlflow.server.assistant.api", "mlflow.server.gateway_api"}, modules)

    def test_a_credential_reaches_every_handler_of_flask_and_none_of_fastapi(self) -> None:
        """Flask serves routes next to those of FastAPI, such as the list of artifacts, and authenticates them itself."""
        application = mlflow.server.fastapi_app.app
        routes = list(routes_of(application))
        has_credential: dict[str, set[bool]] = {}

        def recorded(route: Any) -> Any:
            async def handle(scope: Any, receive: Any, send: Any) -> None:
                names = {name for name, _ in scope["headers"]}
                has_credential.setdefault(module_of(route), set()).add(
                    bool(names & {b"authorization", b"cookie", b"x-remote-user"})
                )
                await send(
                    {
                        "type": "http.response.start",
                        "status": 204,
                        "headers": [(b"x-module", module_of(route).encode())],
                    }
                )
                await send({"type": "http.response.body", "body": b""})

            return handle

        for everywhere in (False, True):
            has_credential.clear()
            for route in routes:
                route.handle = recorded(route)
            strip_credentials(application, everywhere=everywhere)
            by_flask = set()
            try:
                for path, verb in {*self.flask(), *((path, verb) for path, verbs in self.native() for verb in verbs)}:
                    target = re.sub(r"<[^>]*>|{[^}]*}", "1", path)
                    answer = asked(
                        application,
                        verb,
                        target,
                        [("authorization", "Basic x"), ("cookie", "session=x"), ("x-remote-user", "x")],
                    )
                    if answer.headers.get("x-module") == "":
                        by_flask.add(target)
            finally:
                for route in routes:
                    vars(route).pop("handle", None)
            self.assertGreater(len(has_credential), 3)
            for module, found in has_credential.items():
                self.assertEqual(found, {module == "" and not everywhere}, module)
            self.assertLessEqual(
                {"/api/2.0/mlflow-artifacts/artifacts", "/api/2.0/mlflow-artifacts/mpu/create/1", "/graphql"}, by_flask
            )

    def flask(self) -> set[tuple[str, str]]:
        from mlflow.server import app

        return {(rule.rule, verb) for rule in app.url_map.iter_rules() for verb in rule.methods or ()}

    def native(self) -> typing.Iterator[tuple[str, set[str]]]:
        def walk(routes: Any) -> typing.Iterator[tuple[str, set[str]]]:
            for route in routes:
                if (router := getattr(route, "original_router", None)) is not None:
                    yield from walk(router.routes)
                elif getattr(route, "endpoint", None) is not None:
                    yield route.path, route.methods

        return walk(mlflow.server.fastapi_app.app.routes)

    def fields(self) -> typing.Iterator[tuple[str, str]]:
        messages: dict[str, Any] = {message.DESCRIPTOR.full_name: message.DESCRIPTOR for message in handlers.HANDLERS}
        values: list[Any] = list(vars(handlers).values())
        for value in values:
            # Of classes only: Flask's proxies have attributes in a request alone.
            descriptor: Any = getattr(value, "DESCRIPTOR", None) if inspect.isclass(value) else None
            if hasattr(descriptor, "fields"):
                messages[descriptor.full_name] = descriptor
        for descriptor in messages.values():
            yield from ((descriptor.full_name, field) for field in self.of_message(descriptor, ()))
        for model in self.models():
            yield from (
                (f"{model.__module__}.{model.__name__}", name) for name in model.model_fields if LOCATION.search(name)
            )

    def of_message(self, descriptor: Any, above: tuple[str, ...]) -> typing.Iterator[str]:
        for field in descriptor.fields:
            if field.message_type is None:
                if field.type == field.TYPE_STRING and LOCATION.search(field.name):
                    yield field.name
            elif field.message_type.full_name not in above and len(above) < 8:
                inner = self.of_message(field.message_type, (*above, descriptor.full_name))
                yield from (f"{field.name}.{name}" for name in inner)

    def models(self) -> set[type[BaseModel]]:
        found: set[type[BaseModel]] = set()

        def add(annotation: Any) -> None:
            for argument in typing.get_args(annotation):
                add(argument)
            if inspect.isclass(annotation) and issubclass(annotation, BaseModel) and annotation not in found:
                found.add(annotation)
                for field in annotation.model_fields.values():
                    add(field.annotation)

        def walk(routes: Any) -> None:
            for route in routes:
                if (router := getattr(route, "original_router", None)) is not None:
                    walk(router.routes)
                elif (endpoint := getattr(route, "endpoint", None)) is not None:
                    for hint in typing.get_type_hints(endpoint).values():
                        add(hint)

        walk(mlflow.server.fastapi_app.app.routes)
        return found


if __name__ == "__main__":
    unittest.main()

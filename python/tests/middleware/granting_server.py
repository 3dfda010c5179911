"""The real MLflow with basic authentication and the grants of spec.access, for tests: requests, users, experiments and models."""

import functools
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from asgi import Answer
from basic_auth import ADMIN, Client, configure

folder = Path(tempfile.mkdtemp())
configure(
    folder,
    _MLFLOW_SERVER_ARTIFACT_ROOT="mlflow-artifacts:/",
    _MLFLOW_SERVER_ARTIFACT_DESTINATION=f"{folder}/artifacts",
    _MLFLOW_SERVER_SERVE_ARTIFACTS="true",
)

from mlflow.server.auth import sqlalchemy_store  # noqa: E402
from mlflow.server.handlers import _get_tracking_store  # noqa: E402
from werkzeug.security import generate_password_hash  # noqa: E402

from mlflow_operator import grants_basic, users  # noqa: E402
from mlflow_operator.app import application_named  # noqa: E402
from mlflow_operator.grants_file import GrantsFile  # noqa: E402

# The default hash is slow on purpose, and these tests create many users.
sqlalchemy_store.generate_password_hash = functools.partial(generate_password_hash, method="pbkdf2:sha256:1")
_get_tracking_store()
TEAM = frozenset({"team"})
written = 0


def write(*grants: dict[str, Any]) -> None:
    global written
    written += 1
    usual: dict[str, Any] = {"users": [], "groups": [], "experiments": [], "registeredModels": []}
    new = folder / f"access-{written}"
    new.write_text(json.dumps({"grants": [{**usual, **each} for each in grants]}), encoding="utf-8")
    os.replace(new, folder / "access.json")


def groups_of(username: str) -> frozenset[str]:
    return TEAM if username.startswith("member") else frozenset()


now = 0.0
write()
file = GrantsFile(folder / "access.json", clock=lambda: now)
memory = users.install()
grants_basic.install(file, groups_of, memory)
client = Client(application_named("basic-auth"))
call, done, user_named = client.call, client.done, client.user_named


def set_grants(*grants: dict[str, Any]) -> None:
    global now
    write(*grants)
    now += 10


class Experiment:
    """An experiment of the administrator with a run, an artifact and a trace."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.id = done("experiments/create", {"name": name}, ADMIN)["experiment_id"]
        run = done("runs/create", {"experiment_id": self.id, "start_time": 1}, ADMIN)["run"]
        self.run = run["info"]["run_id"]
        self.artifact = f"{self.id}/{self.run}/artifacts/note.txt"
        done(self.artifact, b"kept", ADMIN, "PUT", "/api/2.0/mlflow-artifacts/artifacts/")
        scorer = {
            "experiment_id": self.id,
            "name": "quality",
            "serialized_scorer": '{"name": "quality", "instructions_judge_pydantic_data": {"instructions": "x", "model": "openai:/x"}}',
        }
        self.has_scorer = call("scorers/register", scorer, ADMIN, "POST", "/api/3.0/mlflow/").status == 200

    def reads(self, user: tuple[str, str]) -> dict[str, bool]:
        """What a user can read, by route."""
        graph = {
            "operationName": "Get",
            "query": f'query Get {{ mlflowGetExperiment(input: {{experimentId: "{self.id}"}}) {{ experiment {{ name }} }} }}',
        }
        answers = {
            "experiment": call(f"experiments/get?experiment_id={self.id}", {}, user, "GET"),
            "by name": call(f"experiments/get-by-name?experiment_name={self.name}", {}, user, "GET"),
            "run": call(f"runs/get?run_id={self.run}", {}, user, "GET"),
            "twin route": call(f"runs/get?run_id={self.run}", {}, user, "GET", "/ajax-api/2.0/mlflow/"),
            "artifact": call(self.artifact, b"", user, "GET", "/api/2.0/mlflow-artifacts/artifacts/"),
            "artifacts of a run": call(f"artifacts/list?run_id={self.run}", {}, user, "GET"),
            "page's artifact": call(f"get-artifact?run_uuid={self.run}&path=note.txt", {}, user, "GET", "/"),
            "traces": call(
                "traces/search",
                {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": self.id}}]},
                user,
                "POST",
                "/api/3.0/mlflow/",
            ),
            "metrics": call(f"metrics/get-history?run_id={self.run}&metric_key=loss", {}, user, "GET"),
        }
        found = {route: answer.status == 200 for route, answer in answers.items()}
        if self.has_scorer:
            found["scorer"] = (
                call(f"scorers/get?experiment_id={self.id}&name=quality", {}, user, "GET", "/api/3.0/mlflow/").status
                == 200
            )
        found["GraphQL"] = self.name in call("", graph, user, "POST", "/graphql").body.decode()
        listed = done("experiments/search", {"max_results": 1000}, user).get("experiments", [])
        found["list of experiments"] = self.id in [each["experiment_id"] for each in listed]
        found["list of runs"] = "run_id" in call("runs/search", {"experiment_ids": [self.id]}, user).body.decode()
        return found

    def writes(self, user: tuple[str, str]) -> dict[str, bool]:
        answers = {
            "run": call("runs/create", {"experiment_id": self.id, "start_time": 1}, user),
            "metric": call("runs/log-metric", {"run_id": self.run, "key": "loss", "value": 1, "timestamp": 1}, user),
            "tag": call("experiments/set-experiment-tag", {"experiment_id": self.id, "key": "a", "value": "b"}, user),
            "artifact": call(self.artifact, b"changed", user, "PUT", "/api/2.0/mlflow-artifacts/artifacts/"),
            "spans": self.spans(user),
        }
        return {route: answer.status == 200 for route, answer in answers.items()}

    def spans(self, user: tuple[str, str]) -> Answer:
        span = {
            "traceId": "ab" * 16,
            "spanId": "cd" * 8,
            "name": "of-the-tests",
            "startTimeUnixNano": "1",
            "endTimeUnixNano": "2",
        }
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        return call("traces", body, user, "POST", "/v1/", [("x-mlflow-experiment-id", self.id)])

    def manages(self, user: tuple[str, str]) -> bool:
        body = {"username": "other", "resource_type": "experiment", "resource_id": self.id, "permission": "READ"}
        return call("users/permissions/grant", body, user, "POST", "/api/3.0/mlflow/").status == 200

    def deletes(self, user: tuple[str, str]) -> bool:
        return call("experiments/delete", {"experiment_id": self.id}, user).status == 200


def model_operations(model: str, user: tuple[str, str]) -> list[str]:
    tag = {"name": model, "key": "a", "value": "b"}
    body = {"username": "other", "resource_type": "registered_model", "resource_id": model, "permission": "READ"}
    graph = {
        "operationName": "Search",
        "query": f"query Search {{ mlflowSearchModelVersions(input: {{filter: \"name='{model}'\"}}) {{ modelVersions {{ name }} }} }}",
    }
    listed = done("registered-models/search?max_results=1000", {}, user, "GET").get("registered_models", [])
    answers = {
        "get": call(f"registered-models/get?name={model}", {}, user, "GET").status == 200,
        "list": model in [each["name"] for each in listed],
        "versions": model in call(f"model-versions/search?filter=name%3D'{model}'", {}, user, "GET").body.decode(),
        "GraphQL": model in call("", graph, user, "POST", "/graphql").body.decode(),
        "update": call("registered-models/update", {"name": model, "description": "x"}, user, "PATCH").status == 200,
        "tag": call("registered-models/set-tag", tag, user).status == 200,
        "manage": call("users/permissions/grant", body, user, "POST", "/api/3.0/mlflow/").status == 200,
        "delete": call("registered-models/delete", {"name": model}, user, "DELETE").status == 200,
    }
    return [operation for operation, is_allowed in answers.items() if is_allowed]


def model_named(name: str) -> str:
    done("registered-models/create", {"name": name}, ADMIN)
    run = done("runs/create", {"experiment_id": "0", "start_time": 1}, ADMIN)["run"]["info"]
    done(
        "model-versions/create",
        {"name": name, "source": f"runs:/{run['run_id']}/model", "run_id": run["run_id"]},
        ADMIN,
    )
    return name

"""Tries each operation as the pod that it runs in, by MLflow's own client, and prints as JSON how each ended."""

import json
import os
import sys
import time
import uuid

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

client = MlflowClient()


def outcome(work):
    try:
        work()
        return "done"
    except MlflowException as error:
        said = f"{error.error_code} {error.get_http_status_code()} {error}"
        return "refused" if "PERMISSION_DENIED" in said or " 403 " in said else said


def trace(experiment):
    with open("/var/run/secrets/kubernetes.io/serviceaccount/token", encoding="utf-8") as file:
        token = file.read()
    now = time.time_ns()
    span = {
        "traceId": uuid.uuid4().hex,
        "spanId": uuid.uuid4().hex[:16],
        "name": "tried",
        "kind": 1,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1000),
    }
    headers = dict(pair.split("=") for pair in os.environ["OTLP_TRACES_HEADERS"].split(","))
    answer = requests.post(
        os.environ["OTLP_TRACES_ENDPOINT"],
        json={"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]},
        headers={**headers, "authorization": f"Bearer {token}", "x-mlflow-experiment-id": experiment},
        timeout=60,
    )
    if answer.status_code == 403:
        return "refused"
    return "done" if answer.status_code == 200 else f"{answer.status_code} {answer.text}"


def main():
    name = f"tried-{uuid.uuid4().hex[:8]}"
    if sys.argv[1] == "prepare":
        experiment = client.create_experiment(name)
        client.create_registered_model(name)
        run = client.create_run(experiment)
        print(json.dumps({"experiment": experiment, "model": name, "run": run.info.run_id, "owner": run.info.user_id}))
        return
    if sys.argv[1] == "write":
        print(json.dumps(outcome(lambda: client.create_run(sys.argv[2]))))
        return
    _, experiment, model, spare = sys.argv
    found = {
        "read an experiment": outcome(lambda: client.get_experiment(experiment)),
        "read a model": outcome(lambda: client.get_registered_model(model)),
        "create an experiment": outcome(lambda: client.create_experiment(name)),
        "log a run": outcome(lambda: client.log_metric(client.create_run(experiment).info.run_id, "loss", 0.5)),
        "create a model": outcome(lambda: client.create_registered_model(name)),
        "write a trace": trace(experiment),
        "delete a model": outcome(lambda: client.delete_registered_model(spare)),
        "delete an experiment": outcome(
            lambda: client.delete_experiment(client.get_experiment_by_name(spare).experiment_id)
        ),
    }
    print(json.dumps(found))


main()

"""Logs a run as a data scientist does. Address and credentials are in the environment, not in the code."""

import json
import os
import sys

import requests

uri, username, password = (os.environ[f"MLFLOW_TRACKING_{name}"] for name in ("URI", "USERNAME", "PASSWORD"))


def say(line):
    print(line, file=sys.stderr, flush=True)


def request_status(login, expected):
    answer = requests.get(f"{uri}/api/2.0/mlflow/experiments/search?max_results=1", auth=login, timeout=60)
    if answer.status_code != expected:
        sys.exit(f"{answer.status_code} {answer.text} instead of {expected}")
    return answer.status_code


say(f"without credentials: {request_status(None, 401)}")
say(f"as {username} with the previous default password: {request_status((username, 'password1234'), 401)}")
say(f"as {username} with the generated password: {request_status((username, password), 200)}")
say("loading the MLflow client, which takes a while")

import mlflow  # noqa: E402, the import takes seconds, so the requests come first

experiment = mlflow.create_experiment("demo")
with mlflow.start_run(experiment_id=experiment, run_name="first-run") as run:
    mlflow.log_params({"learning_rate": 0.05, "batch_size": 32, "optimizer": "adam"})
    for step in range(10):
        mlflow.log_metrics({"loss": round(0.7**step, 4), "accuracy": round(1 - 0.6 * 0.75**step, 4)}, step=step)
    mlflow.log_text("logged by npm run demo\n", "note.txt")
say(f"logged run first-run in experiment demo, with the MLflow client {mlflow.__version__}")

back = mlflow.get_run(run.info.run_id)
note = mlflow.artifacts.load_text(f"{back.info.artifact_uri}/note.txt")
say(f"read back: {back.data.params}, {back.data.metrics}, note.txt: {note.strip()!r}")
print(json.dumps({"experimentId": experiment, "runId": run.info.run_id}))

"""Tries each option of MLflow's client for credentials and CA certificates. Prints the results as JSON."""

import json
import os
import pathlib

import mlflow

os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
given = dict(os.environ)
login = {key: given[f"MLFLOW_TRACKING_{key}"] for key in ("USERNAME", "PASSWORD")}
outcomes = {}


def outcome(what, environment):
    """Records the result of a search with these variables, in addition to the common ones."""
    os.environ.clear()
    os.environ.update({key: value for key, value in {**given, **environment}.items() if value is not None})
    try:
        found = mlflow.MlflowClient(given["MLFLOW_TRACKING_URI"]).search_experiments()
        outcomes[what] = "in" if found else "in, to nothing"
    except mlflow.MlflowException as error:
        text = str(error)
        outcomes[what] = "401" if "401" in text else "not verified" if "CERTIFICATE_VERIFY_FAILED" in text else text


no_login = {"MLFLOW_TRACKING_USERNAME": None, "MLFLOW_TRACKING_PASSWORD": None}
outcome("login by environment", {})
outcome("no login", no_login)
outcome("wrong password", {"MLFLOW_TRACKING_PASSWORD": "password1234"})
outcome("a token", {**no_login, "MLFLOW_TRACKING_TOKEN": "of-another-server"})
file = pathlib.Path.home() / ".mlflow" / "credentials"
file.parent.mkdir(exist_ok=True)
file.write_text("[mlflow]\n" + "".join(f"mlflow_tracking_{key.lower()} = {value}\n" for key, value in login.items()))
outcome("login by file", no_login)
file.unlink()
if given["MLFLOW_TRACKING_URI"].startswith("https"):
    outcome("no CA", {"MLFLOW_TRACKING_SERVER_CERT_PATH": None})
    outcome("unverified", {"MLFLOW_TRACKING_SERVER_CERT_PATH": None, "MLFLOW_TRACKING_INSECURE_TLS": "true"})

print(json.dumps(outcomes))

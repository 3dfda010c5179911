"""Creates a user with a permission on one experiment, with MLflow's client, and prints the user's results as JSON."""

import json
import os
import secrets

import mlflow
from mlflow.server import get_app_client

uri = os.environ["MLFLOW_TRACKING_URI"]
administrator = (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"])
user = ("ada", secrets.token_urlsafe(16))
client = mlflow.MlflowClient(uri)
users = get_app_client("basic-auth", tracking_uri=uri)
outcomes = {}


def become(who):
    os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = who


def attempt(what, call):
    try:
        outcomes[what] = call()
    except mlflow.MlflowException as error:
        outcomes[what] = error.error_code


experiment = client.create_experiment("to be edited")
attempt("is made an administrator", lambda: users.create_user(username=user[0], password=user[1]).is_admin)

become(user)
attempt("reads before", lambda: client.get_experiment(experiment).name)
attempt("writes before", lambda: client.create_run(experiment).info.status)
attempt("grants", lambda: users.grant_user_permission(user[0], "experiment", experiment, "EDIT"))
attempt("makes users", lambda: users.create_user(username="eve", password=user[1]))

change = users.update_user_password
attempt("changes another password", lambda: change(administrator[0], secrets.token_urlsafe(16)))
attempt("changes the password without the current one", lambda: change(user[0], secrets.token_urlsafe(16)))
attempt(
    "changes the password with a wrong one",
    lambda: change(user[0], secrets.token_urlsafe(16), current_password=administrator[1]),
)

become(administrator)
users.grant_user_permission(user[0], "experiment", experiment, "EDIT")
attempt("has", lambda: users.get_user_permission(user[0], "experiment", experiment).permission)

become(user)
attempt("writes after", lambda: client.create_run(experiment).info.status)
attempt("deletes after", lambda: client.delete_experiment(experiment))

become(administrator)
users.update_user_admin(username=user[0], is_admin=True)
become(user)
attempt("deletes as administrator", lambda: client.delete_experiment(experiment))

print(json.dumps(outcomes))

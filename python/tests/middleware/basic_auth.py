"""The real MLflow with basic authentication, for tests: its configuration, and requests of its users."""

import base64
import json
import os
from pathlib import Path
from typing import Any

from asgi import Answer, Headers, asked

ADMIN = ("admin", "of-the-first-admin")


def configure(folder: Path, **variables: str) -> None:
    """Sets the environment of MLflow; call it before MLflow is imported."""
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[name]
    (folder / "basic_auth.ini").write_text(
        f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = sqlite:///{folder}/users.db\n"
        f"admin_username = {ADMIN[0]}\nadmin_password = {ADMIN[1]}\nauth_cache_ttl_seconds = 60\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    os.environ |= {
        "MLFLOW_AUTH_CONFIG_PATH": f"{folder}/basic_auth.ini",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-tests-0123456789",
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db",
        # The variable that `mlflow server` sets for its workers.
        "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
        "_MLFLOW_SGI_NAME": "uvicorn",
        **variables,
    }


class Client:
    """Sends requests of users to an application."""

    def __init__(self, application: Any) -> None:
        self.application = application

    def call(
        self,
        path: str,
        body: Any,
        user: tuple[str, str],
        method: str = "POST",
        root: str = "/api/2.0/mlflow/",
        more: Headers = (),
    ) -> Answer:
        credential = base64.b64encode(":".join(user).encode()).decode()
        headers = [("authorization", f"Basic {credential}"), ("content-type", "application/json"), *more]
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return asked(self.application, method, f"{root}{path}", headers, sent if method != "GET" else b"")

    def done(self, *args: Any) -> Any:
        answer = self.call(*args)
        assert answer.status == 200, answer.body
        return json.loads(answer.body or b"{}")

    def user_named(self, name: str) -> tuple[str, str]:
        user = (name, f"of-{name}-0123456789")
        self.done("users/create", {"username": name, "password": user[1]}, ADMIN)
        return user

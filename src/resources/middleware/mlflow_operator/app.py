"""The application that `mlflow server --app-name` runs: that of the authentication method, inside the operator's layer."""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from .prefix import Prefixed
from .protocol import Application

#: By the name of the method; the others are those that MLflow finds by their entry point.
APPLICATIONS = {
    "plain": "mlflow.server.fastapi_app:app",
    "oidc-auth": "mlflow_operator.oidc_membership:app",
    "kubernetes-identity": "mlflow_operator.kubernetes_identity:create_app",
}


def application_named(name: str) -> Any:
    """The application of this authentication method, as MLflow finds it without this package."""
    places = [entry.value for entry in entry_points(group="mlflow.app") if entry.name == name]
    others = [place for place in places if not place.startswith(f"{__package__}.")]
    module, _, attribute = (APPLICATIONS.get(name) or others[0]).partition(":")
    application = getattr(import_module(module), attribute)
    return application() if inspect.isfunction(application) else application


def create_app() -> Application:
    """What uvicorn runs."""
    settings = json.loads(Path(__file__).with_name("settings.json").read_text(encoding="utf-8"))
    application: Application = application_named(settings["application"])
    if (prefix := settings["prefix"]) is not None:
        if settings["application"] == "oidc-auth":
            import_module("mlflow_operator.oidc_prefix").tell(application)
        application = Prefixed(application, prefix["path"], prefix["host"], prefix["isProxied"])
    return application

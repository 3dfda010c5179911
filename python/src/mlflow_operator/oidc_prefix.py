"""Gives mlflow-oidc-auth (11.0.2) the external path prefix, which its pages and the links in MLflow's page need.

The plugin would read it from `root_path`, which also changes its routes.
"""

from __future__ import annotations

from fastapi import FastAPI
from mlflow_oidc_auth import hack
from mlflow_oidc_auth.routers.ui import get_base_path

from .prefix import seen_prefix


async def base_path() -> str:
    return seen_prefix.get()


def install(application: FastAPI) -> None:
    if not callable(getattr(hack, "_base_path", None)):
        raise RuntimeError("this mlflow-oidc-auth has no hack._base_path: its links would not have the prefix")
    hack._base_path = seen_prefix.get
    application.dependency_overrides[get_base_path] = base_path

"""Tells mlflow-oidc-auth (11.0.2) the prefix that the browser sees: its pages ask for it, and links in MLflow's page are made with it.

It would take it from `root_path`, which also decides what its routes are; from here it is only told.
"""

from __future__ import annotations

from fastapi import FastAPI
from mlflow_oidc_auth import hack
from mlflow_oidc_auth.routers.ui import get_base_path

from .prefix import seen_prefix


async def base_path() -> str:
    return seen_prefix.get()


def tell(application: FastAPI) -> None:
    if not callable(getattr(hack, "_base_path", None)):
        raise RuntimeError("this mlflow-oidc-auth makes its links otherwise: they would not lead below the prefix")
    hack._base_path = seen_prefix.get
    application.dependency_overrides[get_base_path] = base_path

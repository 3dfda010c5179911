"""MLflow's OTLP endpoint for traces and nothing else, for workloads that the mesh authorizes by identity.

Nothing here requires a credential: the mesh's policies allow only the writers to reach this port. A pod outside the mesh is not
protected by these policies, so it answers 503 until the mesh has set its annotation on the pod, which the kubelet copies into a
file, and again when the annotation is removed.

Environment: MLflow's variables for its database, and
  MESH_ENROLMENT_FILE   the file with the annotation
  MESH_ENROLMENT        the value of the annotation in a pod in the mesh; empty: any
  MAX_REQUEST_BODY_BYTES
                        maximum size of a request body, compressed and decompressed
"""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI
from mlflow.server.handlers import _get_tracking_store
from mlflow.server.otel_api import otel_router

from mlflow_operator.answers import respond
from mlflow_operator.app import limit_decompression
from mlflow_operator.guard import Guard, Limits
from mlflow_operator.protocol import Application, Message, Receive, Send

PLAIN = [(b"content-type", b"text/plain")]


class Enrolled:
    """An application that answers only if the pod is in the mesh, except for `/health`, which reports that the process runs."""

    def __init__(self, application: Application, file: Path, value: str) -> None:
        self.application = application
        self.file = file
        self.value = value

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
        elif scope["path"] == "/health":
            await respond(send, 200, PLAIN, b"OK")
        elif not self.is_in_mesh():
            # Exporters retry after this status (OTLP specification, "Retryable response codes").
            await respond(send, 503, [*PLAIN, (b"retry-after", b"5")], b"this pod is not in the mesh")
        elif scope["path"] == "/ready":
            await respond(send, 200, PLAIN, b"OK")
        else:
            await self.application(scope, receive, send)

    def is_in_mesh(self) -> bool:
        try:
            found = self.file.read_text().strip()
        except OSError:
            return False
        return found == self.value if self.value else found != ""


def create_app() -> Application:
    """Returns the application for uvicorn. Raises MLflow's exception if the database cannot be reached."""
    _get_tracking_store()
    application = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    application.include_router(otel_router)
    # The same limits as on the server's own port: writers have no credential here.
    limit = int(os.environ["MAX_REQUEST_BODY_BYTES"])
    limit_decompression(limit)
    guarded = Guard(application, None, Limits(limit, limit), gateway=False)
    return Enrolled(guarded, Path(os.environ["MESH_ENROLMENT_FILE"]), os.environ["MESH_ENROLMENT"])

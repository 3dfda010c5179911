"""MLflow's intake of traces and nothing else, for workloads that a mesh lets in by who they are.

Nothing here asks for a credential: the mesh's policies let the writers to this port, and nobody else. A pod that is not in the mesh has
no such guard, so it is shut until what takes pods into the mesh has said so in an annotation of the pod, which the kubelet copies
into a file; and it is shut again when that is gone.

Environment: that by which MLflow finds its database, and
  MESH_ENROLMENT_FILE   where the annotation is
  MESH_ENROLMENT        its value in a pod that is in the mesh; empty: any
  MAX_REQUEST_BODY_BYTES
                        of a request, compressed or not
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from mlflow.server.handlers import _get_tracking_store
from mlflow.server.otel_api import otel_router

from mlflow_operator.app import limit_decompression
from mlflow_operator.guard import Guard, Limits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Enrolled:
    """An application that answers only where the pod is in the mesh; but for `/health`, which says that the process lives."""

    def __init__(self, application: Application, file: Path, value: str) -> None:
        self.application = application
        self.file = file
        self.value = value

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
        elif scope["path"] == "/health":
            await answer(send, 200, b"OK")
        elif not self.is_in_mesh():
            # Exporters try again after this one (OTLP specification, "Retryable response codes").
            await answer(send, 503, b"this pod is not in the mesh", (b"retry-after", b"5"))
        elif scope["path"] == "/ready":
            await answer(send, 200, b"OK")
        else:
            await self.application(scope, receive, send)

    def is_in_mesh(self) -> bool:
        try:
            found = self.file.read_text().strip()
        except OSError:
            return False
        return found == self.value if self.value else found != ""


async def answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    own = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})


def create_app() -> Application:
    """What uvicorn runs. Raises what MLflow raises where it does not get to its database."""
    _get_tracking_store()
    application = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    application.include_router(otel_router)
    # The same limits as on the server's own port: who writes here has no credential at all.
    limit = int(os.environ["MAX_REQUEST_BODY_BYTES"])
    limit_decompression(limit)
    guarded = Guard(application, None, Limits(limit, limit), gateway=False)
    return Enrolled(guarded, Path(os.environ["MESH_ENROLMENT_FILE"]), os.environ["MESH_ENROLMENT"])

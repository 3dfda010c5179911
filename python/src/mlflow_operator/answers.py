"""Responses of the middleware, in the format of MLflow's errors."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .protocol import Send


async def respond(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes = b"") -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def answer(send: Send, status: int, code: str, message: str, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps({"error_code": code, "message": message}).encode()
    await respond(send, status, [(b"content-type", b"application/json"), *headers], body)

"""Which of MLflow's capabilities a path belongs to, however it is written."""

from __future__ import annotations

import re
from urllib.parse import unquote

#: What MLflow's routes begin with: /api/2.0, /ajax-api/3.0, and no root at all.
ROOT = re.compile(r"api|ajax-api|\d+\.\d+")


def segments(path: str) -> list[str]:
    """The path's parts after MLflow's root, in lower case, decoded until nothing is left to decode, dots resolved."""
    for _ in range(8):
        if (decoded := unquote(path)) == path:
            break
        path = decoded
    parts: list[str] = []
    for part in path.lower().replace("\\", "/").split("/"):
        part = part.partition(";")[0].strip()
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    begin = 0
    while begin < len(parts) and ROOT.fullmatch(parts[begin]):
        begin += 1
    return parts[begin:]


def is_assistant(parts: list[str]) -> bool:
    """MLflow's Assistant, which runs programs on the server."""
    return parts[:1] == ["mlflow"] and parts[1:2] != [] and parts[1].startswith("assistant")


def is_gateway(parts: list[str]) -> bool:
    """The AI gateway: requests to model providers with stored keys, and what manages them."""
    if parts[:1] == ["gateway"]:
        return True
    return parts[:1] == ["mlflow"] and parts[1:2] != [] and parts[1].startswith("gateway")


def is_artifact_upload(method: str, path: str) -> bool:
    """What MLflow writes to the store as it comes, and never holds as a whole."""
    return method == "PUT" and re.match(r"/(ajax-)?api/2\.0/mlflow-artifacts/artifacts/.", path) is not None

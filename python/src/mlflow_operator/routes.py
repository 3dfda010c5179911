"""Which of MLflow's features a path belongs to, in every spelling."""

from __future__ import annotations

import re
from urllib.parse import unquote

#: The prefixes of MLflow's routes: /api/2.0, /ajax-api/3.0, and none.
ROOT = re.compile(r"api|ajax-api|\d+\.\d+")


def segments(path: str) -> list[str]:
    """Returns the segments of a path after MLflow's root: in lower case, completely decoded, with dots resolved."""
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
    """Returns whether MLflow streams the body to the artifact store."""
    return method == "PUT" and re.match(r"/(ajax-)?api/2\.0/mlflow-artifacts/artifacts/.", path) is not None

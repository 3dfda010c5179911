"""Writes the files of a backup without a server."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def manifest_of(contents: Mapping[str, bytes], **changes: Any) -> dict[str, Any]:
    """Returns the manifest of a backup with these files; `databases` and `artifacts` follow from their names."""
    engines = {"pgdump": "postgresql", "gz": "mysql", "sqlite": "sqlite"}
    databases = [
        {
            "role": name.split(".")[0],
            "application": "tracking" if name.startswith("tracking") else "auth",
            "engine": engines[name.rsplit(".", 1)[1]],
            "file": name,
            "schemaRevision": "abc123",
        }
        for name in contents
        if name != "artifacts.tar"
    ]
    archive = {"file": "artifacts.tar"} if "artifacts.tar" in contents else {}
    location = "/mlflow/data/artifacts" if archive else "s3://artifacts"
    return {
        "format": 1,
        "backup": "first",
        "server": {"name": "tracking", "namespace": "team", "uid": "1"},
        "startedAt": "2026-01-31T18:00:00Z",
        "completedAt": "2026-01-31T18:01:00Z",
        "mlflowVersion": "3.17.2",
        "databases": databases,
        "artifacts": {"location": location, **archive},
        "files": [
            {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        ],
        "encryptionKeys": dict.fromkeys(("salt", "kekPassphrase", "webhookKey"), "0" * 32),
        **changes,
    }


def write_backup(folder: Path, contents: Mapping[str, bytes], **changes: Any) -> Path:
    """Writes a backup, and returns its folder."""
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest_of(contents, **changes)))
    return folder

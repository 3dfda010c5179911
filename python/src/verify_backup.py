"""Verifies a backup whose files exist already, such as one of another cluster: the size and SHA-256 of every file.

Runs in the MLflow image, in the Job of an MlflowBackup with `spec.existing`. It changes nothing.

Environment: BACKUP_DESTINATION, BACKUP_DIRECTORY and BACKUP_ENDPOINT_URL as for backup.py, and
  TERMINATION_LOG  where the result is reported; default /dev/termination-log

Exit code 0: the backup is complete, and the result of backup.py is in the termination log. Exit code 1: {"reason", "message"}. Reasons:
BackupManifestNotFound, BackupDamaged, BackupUnreadable, BackupFailed, and BackupDestination… as in backup.py.
"""

from __future__ import annotations

from typing import NoReturn

from backup_reader import Manifest, source
from migrate import log_steps, origin
from mlflow_outcome import Failure, completed, end_on_sigterm, finish


def result_of(location: str, manifest: Manifest) -> dict[str, object]:
    return {
        "location": location,
        "size": manifest.size,
        "mlflowVersion": manifest.version,
        "schemaRevision": manifest.revision,
    }


def verified() -> dict[str, object]:
    place = source()
    manifest = place.manifest()
    place.verify(manifest)
    return result_of(place.location, manifest)


def main() -> NoReturn:
    end_on_sigterm()
    log_steps()
    result = completed(
        verified,
        lambda error: Failure(
            "BackupFailed", f"The verification failed with {type(error).__name__} at {origin(error)}. Read its log."
        ),
    )
    finish(result)


if __name__ == "__main__":
    main()

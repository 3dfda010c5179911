"""Verifies a backup whose files exist already, such as one of another cluster: the size and SHA-256 of every file.

Runs in the MLflow image, in the Job of an MlflowBackup with `spec.existing`. It changes nothing.

Environment: BACKUP_DESTINATION, BACKUP_DIRECTORY and BACKUP_ENDPOINT_URL as for backup.py, and
  TERMINATION_LOG  where the result is reported; default /dev/termination-log

Exit code 0: the backup is complete, and the result of backup.py is in the termination log. Exit code 1: {"reason", "message"}. Reasons:
BackupManifestNotFound, BackupDamaged, BackupUnreadable, BackupFailed, and BackupDestination… as in backup.py.
"""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from backup_reader import Manifest, source
from migrate import log_steps, origin
from mlflow_outcome import Failure, finish, give_up


def result_of(location: str, manifest: Manifest) -> dict[str, object]:
    return {
        "location": location,
        "size": manifest.size,
        "mlflowVersion": manifest.version,
        "schemaRevision": manifest.revision,
    }


def main() -> NoReturn:
    # Process 1 of a container ignores a signal without a handler.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    log_steps()
    try:
        place = source()
        manifest = place.manifest()
        place.verify(manifest)
    except Failure as problem:
        give_up(problem)
    except BaseException as error:
        give_up(
            Failure(
                "BackupFailed", f"The verification failed with {type(error).__name__} at {origin(error)}. Read its log."
            )
        )
    finish(result_of(place.location, manifest))


if __name__ == "__main__":
    main()

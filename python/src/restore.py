"""Restores a backup of backup.py into the empty databases and the empty volume of an MLflow server, before its first migration.

Runs in the MLflow image, in a Job of an MlflowServer with `spec.restore`. It verifies all files first, and refuses targets that have content.
Each target records the backup that it was restored from: a table in a database, a file on a volume. So a killed run can be
repeated, a second run with the same backup changes nothing, and the content of others is never overwritten.

- PostgreSQL: pg_restore writes the dump as SQL, which runs in one transaction with the record. So it also works if the server is older
  than pg_restore, and an interrupted run leaves an empty database.
- MySQL: the driver runs the dump, because the client of a MySQL server would also run commands in it. MySQL cannot roll back: the
  record is written before, and a repeated run begins with an empty database again.
- SQLite and artifacts: a copy next to the target, which then gets its name.

Environment: for the databases, that of migrate.py, and
  BACKUP_DESTINATION, BACKUP_DIRECTORY, BACKUP_ENDPOINT_URL  where the backup is, as for backup.py
  BACKUP_ARTIFACTS                           the location of the server's artifacts
  BACKUP_KEK_PASSPHRASE, BACKUP_WEBHOOK_KEY  the encryption keys of the server
  RESTORE_ACCEPT                             accepted differences, separated by commas: NewKeys, MissingArtifacts
  TERMINATION_LOG                            where the result is reported; default /dev/termination-log

Exit code 0: everything is restored, and one line of JSON with numbers is in the termination log. Exit code 1: {"reason", "message"}. Reasons: those
of migrate.py for databases, of verify_backup.py for the files, BackupTooNew, BackupToolMissing, BackupToolOutdated, RestoreTargetMismatch,
RestoreArtifactsMismatch, RestoreKeysMismatch, RestoreTargetNotEmpty, RestoreVolumeFull and RestoreFailed.

No URL, password or text of an exception is ever written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from backup import fingerprints
from backup_reader import Dump, Manifest, Source, source
from migrate import (
    REMEDIES,
    Store,
    connect,
    failure,
    limit_transactions,
    log_steps,
    origin,
    phase,
    reason_of,
    sqlstate,
    stores,
)
from mlflow_outcome import Failure, completed, end_on_sigterm, finish, log
from restore_artifacts import ArtifactTarget
from restore_databases import DatabaseTarget, database_target
from restore_summary import summary_of


def restored() -> dict[str, Any]:
    """Restores the backup unless it is restored already, and returns the result."""
    targets = stores()
    load()
    place = source()
    manifest = place.manifest()
    pairs = matched(manifest, targets)
    archive = artifact_target(manifest)
    require_version(manifest)
    for target, _ in pairs:
        with phase("connect", unreachable(target)):
            connect(target)
    databases = [database_target(target, manifest.id) for target, _ in pairs]
    parts: list[DatabaseTarget | ArtifactTarget] = [*databases, *([archive] if archive else [])]
    waits = [each for each in parts if not each.is_restored()]
    if waits:
        # With a new key, credentials in the databases would be lost silently.
        require_keys(manifest)
        for each in waits:
            each.require_empty()
        place.verify(manifest)
        restore(place, manifest, pairs, databases, archive)
    else:
        log("everything is restored already")
    return {
        "backup": manifest.id,
        "mlflowVersion": manifest.version,
        "schemaRevision": manifest.revision,
        **summary_of(targets),
    }


def load() -> None:
    slow = Failure("MigrationTimeout", "Loading MLflow takes too long. Check the CPU limit of the pod and the image.")
    with phase("load", slow):
        import mlflow.store.db.utils  # noqa: F401

        limit_transactions()


def unreachable(target: Store) -> Failure:
    return Failure("DatabaseUnreachable", f"Connecting: the {target.place} {REMEDIES['DatabaseUnreachable']}")


def restore(
    place: Source,
    manifest: Manifest,
    pairs: list[tuple[Store, Dump]],
    databases: list[DatabaseTarget],
    archive: ArtifactTarget | None,
) -> None:
    """Restores what is not restored yet. The artifacts are first, because a volume that becomes full is the most likely failure."""
    if archive is not None and manifest.archive is not None and not archive.is_restored():
        log(f"artifacts: restoring {manifest.archive.size} bytes")
        archive.restore(place.verified(manifest.archive))
    for (target, dump), database in zip(pairs, databases, strict=True):
        if database.is_restored():
            continue
        log(f"{target.name}: restoring the {target.place}")
        try:
            database.restore(place, dump.file)
        except Failure:
            raise
        except Exception as error:
            if reason_of(error) is None:
                raise
            raise failure(error, target, "Restoring") from None


def matched(manifest: Manifest, targets: list[Store]) -> list[tuple[Store, Dump]]:
    """Returns each database with its dump. Raises Failure if the backup is of other kinds of databases."""
    pairs: list[tuple[Store, Dump]] = []
    dumps = {dump.application: dump for dump in manifest.dumps}
    tracking = dumps.get("tracking")
    if tracking is None:
        raise mismatch("contains no database of MLflow. Use another backup")
    users = [name for name in dumps if name != "tracking"]
    for target in targets:
        dump = dumps.get(target.name)
        if dump is None:
            # A server with passwords can be restored from one without users.
            if users:
                raise mismatch(
                    f"has the users of {METHODS[users[0]]}, and spec.authentication is {METHODS[target.name]}. Set the method of the backup; it can"
                    " be changed later"
                )
            continue
        if dump.engine != target.backend:
            raise mismatch(
                f"has a {ENGINES[dump.engine]} dump of the {dump.role} schema, and the target is the {target.place}. Use a database of the"
                " same kind"
            )
        is_shared = target.uri == targets[0].uri
        if (dump.file == tracking.file) != is_shared:
            shared, own = "in the tracking database", "in a database of their own"
            raise mismatch(
                f"has the users {own if is_shared else shared}, and the spec has them {shared if is_shared else own}. Change"
                " spec.authentication to the databases of the backup"
            )
        if target is targets[0] or not is_shared:
            pairs.append((target, dump))
    missing = [name for name in users if name not in {target.name for target in targets}]
    if missing:
        raise mismatch(
            f"has the users of {METHODS[missing[0]]}, which the server would not have. Set spec.authentication to this method; it can be changed"
            " later"
        )
    return pairs


METHODS = {"auth": "basic or ldap", "oidc": "oidc"}
ENGINES = {"postgresql": "PostgreSQL", "mysql": "MySQL", "sqlite": "SQLite"}


def mismatch(text: str) -> Failure:
    return Failure("RestoreTargetMismatch", f"The backup {text}. Nothing was restored.")


def accepts(difference: str) -> bool:
    return difference in os.environ.get("RESTORE_ACCEPT", "").split(",")


def artifact_target(manifest: Manifest) -> ArtifactTarget | None:
    location = os.environ.get("BACKUP_ARTIFACTS", "")
    is_on_volume = location.startswith("/")
    if manifest.archive is None and not is_on_volume:
        return None
    if manifest.archive is not None and is_on_volume:
        return ArtifactTarget(Path(location), manifest.id)
    if accepts("MissingArtifacts"):
        log("artifacts: not restored, as accepted")
        return None
    remedy = (
        "Use the store of the backup, or accept runs without their artifacts by spec.restore.accept: [MissingArtifacts]"
    )
    what = (
        f"The artifacts of the backup are in {manifest.artifacts}, and the server stores artifacts on a volume"
        if is_on_volume
        else "The backup has artifacts of a volume, and the server stores artifacts in a bucket"
    )
    raise Failure(
        "RestoreArtifactsMismatch", f"{what}, so runs would not find their artifacts. Nothing was restored. {remedy}."
    )


def require_version(manifest: Manifest) -> None:
    import mlflow
    from packaging.version import Version

    if Version(manifest.version) > Version(mlflow.__version__):
        raise Failure(
            "BackupTooNew",
            f"The backup is of MLflow {manifest.version}, whose schema MLflow {mlflow.__version__} cannot read. Nothing was restored. Set spec.version"
            f" to {manifest.version} or newer.",
        )


def require_keys(manifest: Manifest) -> None:
    found = fingerprints(manifest.keys["salt"])
    names = {"kekPassphrase": "kek-passphrase", "webhookKey": "webhook-key"}
    other = [name for key, name in names.items() if found[key] != manifest.keys[key]]
    if not other:
        return
    if accepts("NewKeys"):
        log(f"other keys than in the backup, as accepted: {', '.join(other)}")
        return
    raise Failure(
        "RestoreKeysMismatch",
        f"The {' and '.join(other)} of the server {'is' if len(other) == 1 else 'are'} not that of the backup, so MLflow could not decrypt stored"
        " provider credentials or secrets of webhooks. Nothing was restored. Put the keys of the server of the backup into the Secret"
        " <server>-session (or that of sessionSecretRef), or accept the loss by spec.restore.accept: [NewKeys].",
    )


def main() -> NoReturn:
    # Each target can be restored again after an interruption.
    end_on_sigterm()
    log_steps()
    finish(completed(restored, unexpected))


def unexpected(error: BaseException) -> Failure:
    code = sqlstate(error)
    coded = f" (SQLSTATE {code})" if code else ""
    return Failure(
        "RestoreFailed",
        f"The restore failed with {type(error).__name__}{coded} at {origin(error)}. It is repeated. See the log of the Job.",
    )


if __name__ == "__main__":
    main()

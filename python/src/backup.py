"""Writes a backup of an MLflow server: its databases, then its artifacts if they are on a volume, then a manifest.

Runs in the MLflow image, in the Job of an MlflowBackup, while the server runs. The databases come first: an artifact without a row
is not visible, and a row without its artifact is a broken run. PostgreSQL is dumped by pg_dump, MySQL by mariadb-dump or mysqldump,
in one transaction; SQLite by its online backup. Artifacts in a bucket are not copied: the manifest has their location.

A backup is a directory of a volume or a prefix of a bucket. On a volume it has the suffix `.partial` until it is complete. In a bucket the
manifest is written last. So what has no manifest.json under its final name is not a backup.

Environment: for the databases, that of migrate.py, and
  BACKUP_DESTINATION        the directory of a volume, or s3://bucket/prefix
  BACKUP_DIRECTORY          the path of this backup below it, the same for each run of the Job
  BACKUP_ENDPOINT_URL       the URL of an S3-compatible store; empty for AWS. Credentials, region and CA as for the AWS SDK
  BACKUP_NAME, BACKUP_UID, BACKUP_SERVER_NAME, BACKUP_SERVER_NAMESPACE, BACKUP_SERVER_UID
                            what the manifest names; a complete backup with another BACKUP_UID is another backup
  BACKUP_ARTIFACTS          the location of artifacts; it is copied if it is a directory
  BACKUP_KEK_PASSPHRASE, BACKUP_WEBHOOK_KEY
                            the encryption keys of the server, of which the manifest has fingerprints only
  BACKUP_MLFLOW_VERSION     the version of MLflow whose pods use the databases; default: that of the image
  BACKUP_SCHEDULE, BACKUP_KEEP, BACKUP_OLDER_THAN_SECONDS
                            the schedule of the backup, and which of its backups are kept (backup_retention.py)
  TERMINATION_LOG           where the result is reported; default /dev/termination-log

Exit code 0: the backup is complete, and one line of JSON, {"location", "size", "mlflowVersion", "schemaRevision"}, is in the termination log;
with one of the last two also "retention", the result for older backups.
Exit code 1: {"reason", "message"}. Reasons: those of migrate.py for databases, BackupToolMissing, BackupToolOutdated, BackupUnsupported, BackupFailed,
ArtifactsUnreadable, and
BackupDestination… followed by ReadOnly, Full, NotFound, AuthenticationFailed, Unreachable, TLSVerificationFailed, Rejected.

No URL, password or text of an exception is ever written.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import gzip
import hashlib
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Protocol

from backup_retention import MANIFEST, BucketFolders, Folders, VolumeFolders, retention
from check_artifacts import classify
from migrate import (
    CONNECT_TEXTS,
    REMEDIES,
    RESTORE_TABLE,
    Store,
    configuration_error,
    connect,
    engine,
    failure,
    limit_transactions,
    log_steps,
    origin,
    phase,
    reason_of,
    revisions,
    stores,
)
from mlflow_outcome import Failure, completed, end_on_sigterm, finish, log, report

PARTIAL = ".partial"
# A copy of an SQLite database that is uploaded to a bucket, next to the database. Each backup has another name for it.
COPY_SUFFIX = ".backup-copy"
# A copy that has not been touched for this time is that of a program that was killed.
STALE_SECONDS = 3600
CHUNK = 1 << 20
# A part of an upload has at least this size; S3 allows 10,000 parts, so later ones are larger.
PART = 16 << 20
PARTS_OF_A_SIZE = 2000

FILE_REASONS = {
    errno.ENOSPC: "Full",
    errno.EDQUOT: "Full",
    errno.EFBIG: "Full",
    errno.EROFS: "ReadOnly",
    errno.EACCES: "ReadOnly",
    errno.EPERM: "ReadOnly",
    errno.ENOENT: "NotFound",
}
VOLUME_REMEDIES = {
    "Full": "has no space left. Enlarge the volume, or delete old backups",
    "ReadOnly": "is not writable for the user of the pod. Check the access mode of the claim and the owner of the directory",
    "NotFound": "does not exist. Check that the claim is mounted",
    "Rejected": "cannot be written. Check the volume and its storage",
}
BUCKET_REMEDIES = {
    "Full": "has no space left. Enlarge it, or delete old backups",
    "ReadOnly": "denies writes with these credentials. Grant them s3:PutObject and s3:AbortMultipartUpload on the prefix",
    "AuthenticationFailed": "does not accept the credentials. Correct the Secret of destination.s3.credentialsSecretRef",
    "Unreachable": "does not answer. Check destination.s3.endpointURL and region, and that network policies let the pods of the server reach it",
    "NotFound": "does not exist. Create the bucket, or correct destination.s3.bucket",
    "TLSVerificationFailed": "failed TLS verification. Check that its certificate is signed by destination.s3.ca, or by a public CA, and contains"
    " this host name",
    "Rejected": "rejects an upload. Check region, endpointURL and the bucket's policy",
}
RESTARTED = "Nothing was kept. Create another MlflowBackup when it is corrected"


@dataclass
class File:
    """A complete file of a backup."""

    name: str
    size: int
    sha256: str


class Sink(ABC):
    """A file of a backup while it is written: it counts and hashes what passes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.size = 0
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        self.put(data)
        return len(data)

    def flush(self) -> None:
        """For gzip; complete files are written to the disk."""
        return

    def finished(self) -> File:
        self.close()
        return File(self.name, self.size, self._hash.hexdigest())

    @abstractmethod
    def put(self, data: bytes) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class Destination(ABC):
    """Where backups are. Its methods raise Failure."""

    location: str

    @abstractmethod
    def complete(self) -> dict[str, Any] | None:
        """Returns the manifest if the backup exists: an earlier run of the same Job has completed it."""

    @abstractmethod
    def begin(self) -> None:
        """Removes what an interrupted run has left, and checks that the destination can be written."""

    @abstractmethod
    def create(self, name: str) -> Sink: ...

    @abstractmethod
    def finish(self, manifest: bytes) -> None:
        """Writes the manifest, after which the backup is complete."""

    @abstractmethod
    def folders(self) -> Folders:
        """Returns the folders next to this backup."""

    def abandon(self) -> None:
        """Deletes what a failed run has written, so that it does not fill the volume."""
        return

    def copy_path(self, database: Path) -> Path:
        """Returns where a copy of an SQLite database is made before it is written."""
        own = hashlib.sha256(os.environ["BACKUP_UID"].encode()).hexdigest()[:10]
        return database.with_name(f"{database.name}{COPY_SUFFIX}-{own}")


class Volume(Destination):
    def __init__(self, root: str, directory: str) -> None:
        self._final = Path(root, directory)
        self._partial = self._final.with_name(f"{self._final.name}{PARTIAL}")
        self.location = str(self._final)
        self._root = root
        self._shown = directory

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kind = FILE_REASONS.get(error.errno or 0, "Rejected")
            code = errno.errorcode.get(error.errno or 0, type(error).__name__)
            raise Failure(
                f"BackupDestination{kind}",
                f"Writing the backup: the volume of destination.persistentVolumeClaim {VOLUME_REMEDIES[kind]} ({code}). {RESTARTED}.",
            ) from None

    def complete(self) -> dict[str, Any] | None:
        with self._reported():
            try:
                return json_object((self._final / MANIFEST).read_bytes())
            except FileNotFoundError:
                return None

    def begin(self) -> None:
        with self._reported():
            if self._partial.exists():
                shutil.rmtree(self._partial)
            self._partial.mkdir(parents=True, mode=0o750)

    def abandon(self) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)

    def folders(self) -> Folders:
        return VolumeFolders(self._root, self._shown)

    def create(self, name: str) -> Sink:
        with self._reported():
            file = open(self._partial / name, "wb")  # noqa: SIM115
        volume = self

        class OnVolume(Sink):
            def put(self, data: bytes) -> None:
                with volume._reported():
                    file.write(data)

            def close(self) -> None:
                with volume._reported():
                    file.flush()
                    os.fsync(file.fileno())
                    file.close()

        return OnVolume(name)

    def copy_path(self, database: Path) -> Path:
        return self._partial / f"{database.name}{COPY_SUFFIX}"

    def finish(self, manifest: bytes) -> None:
        sink = self.create(MANIFEST)
        sink.write(manifest)
        sink.close()
        with self._reported():
            sync(self._partial)
            self._partial.rename(self._final)
            sync(self._final.parent)


def sync(folder: Path) -> None:
    """Writes the entries of a directory to the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class BucketFolder:
    """A prefix of a bucket in S3 or an S3-compatible store. Credentials, region and CA are those for the AWS SDK."""

    def __init__(self, uri: str, directory: str) -> None:
        self.bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        self.prefix = "/".join(part for part in (prefix, directory) if part)
        self.location = f"s3://{self.bucket}/{self.prefix}"
        endpoint = os.environ.get("BACKUP_ENDPOINT_URL") or None
        self.place = f'bucket "{self.bucket}" at {endpoint or "AWS"}'
        self.client = bucket_client(endpoint)

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}"


def bucket_client(endpoint: str | None) -> Any:
    import boto3
    import botocore.config

    config = botocore.config.Config(
        connect_timeout=10, read_timeout=60, retries={"max_attempts": 4, "mode": "standard"}
    )
    return boto3.client("s3", endpoint_url=endpoint, config=config)


class Bucket(Destination):
    def __init__(self, uri: str, directory: str) -> None:
        folder = BucketFolder(uri, directory)
        self._bucket, self._prefix, self._client = folder.bucket, folder.prefix, folder.client
        self._place, self.location, self._key = folder.place, folder.location, folder.key

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            reason, code = classify(error)
            kind = reason.removeprefix("ArtifactStore")
            if code in ("EntityTooLarge", "QuotaExceeded", "InsufficientCapacity", "507", "XMinioStorageFull"):
                kind = "Full"
            raise Failure(
                f"BackupDestination{kind}",
                f"Writing the backup: the {self._place} {BUCKET_REMEDIES[kind]} ({code}). {RESTARTED}.",
            ) from None

    def folders(self) -> Folders:
        return BucketFolders(self._client, self._bucket, self._prefix)

    def complete(self) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        with self._reported():
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(MANIFEST))
            except ClientError as error:
                # Without the permission to list, a missing object is reported as forbidden. A write shows whether the bucket exists.
                if str(error.response.get("Error", {}).get("Code")) in ("NoSuchKey", "404", "AccessDenied", "403"):
                    return None
                raise
            return json_object(answer["Body"].read())

    def begin(self) -> None:
        """Nothing: an interrupted upload is not an object, and complete objects are overwritten."""

    def create(self, name: str) -> Sink:
        bucket, key = self, self._key(name)
        with self._reported():
            upload = self._client.create_multipart_upload(Bucket=self._bucket, Key=key)["UploadId"]

        class InBucket(Sink):
            def __init__(self) -> None:
                super().__init__(name)
                self._parts: list[dict[str, Any]] = []
                self._buffer = bytearray()

            def put(self, data: bytes) -> None:
                self._buffer += data
                if len(self._buffer) >= PART << (len(self._parts) // PARTS_OF_A_SIZE):
                    self._send()

            def _send(self) -> None:
                number = len(self._parts) + 1
                where = {"Bucket": bucket._bucket, "Key": key, "UploadId": upload, "PartNumber": number}
                with self._aborting():
                    answer = bucket._client.upload_part(**where, Body=bytes(self._buffer))
                self._parts.append({"ETag": answer["ETag"], "PartNumber": number})
                self._buffer.clear()

            @contextlib.contextmanager
            def _aborting(self) -> Iterator[None]:
                try:
                    with bucket._reported():
                        yield
                except Failure:
                    # An upload that cannot be aborted expires by the bucket's lifecycle rules.
                    with contextlib.suppress(Exception):
                        bucket._client.abort_multipart_upload(Bucket=bucket._bucket, Key=key, UploadId=upload)
                    raise

            def close(self) -> None:
                if self._buffer or not self._parts:
                    self._send()
                where = {"Bucket": bucket._bucket, "Key": key, "UploadId": upload}
                with self._aborting():
                    bucket._client.complete_multipart_upload(**where, MultipartUpload={"Parts": self._parts})

        return InBucket()

    def finish(self, manifest: bytes) -> None:
        with self._reported():
            self._client.put_object(Bucket=self._bucket, Key=self._key(MANIFEST), Body=manifest)


def json_object(text: bytes) -> dict[str, Any] | None:
    with contextlib.suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    return None


def destination() -> Destination:
    root, directory = os.environ["BACKUP_DESTINATION"], os.environ["BACKUP_DIRECTORY"]
    return Bucket(root, directory) if root.startswith("s3://") else Volume(root, directory)


@dataclass
class Tool:
    """A program that dumps a database: its arguments and environment. The environment has the password."""

    name: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def installed(names: tuple[str, ...], target: Store) -> tuple[str, str]:
    """Returns the path of the first installed program and the first line of its version."""
    for name in names:
        path = shutil.which(name)
        if path is not None:
            found = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30)
            return path, (found.stdout.splitlines() or [""])[0][:200]
    raise Failure(
        "BackupToolMissing",
        f"The MLflow image does not contain {names[0]}, which dumps the {target.place}. Nothing was written. Use the project's image, or add the"
        " program to yours.",
    )


def require_tool(version: tuple[int, ...], server: tuple[int, ...], name: str, target: Store) -> None:
    """Raises Failure if a tool is older than the server."""
    if version >= server:
        return
    shown = [".".join(str(part) for part in each) for each in (version, server)]
    raise Failure(
        "BackupToolOutdated",
        f"{name} of the MLflow image has version {shown[0]}, which is older than the {target.place} ({shown[1]}), so it cannot dump it. Nothing was"
        " written. Use an image with a newer client.",
    )


def numbers(text: str, count: int) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", text)[:count])


def query_of(target: Store) -> tuple[Any, dict[str, str]]:
    """Returns the parsed URI, and its parameters with one value each. Raises Failure if a part would become several lines of a settings file."""
    from sqlalchemy.engine import make_url

    url = make_url(target.uri)
    query = {key: value if isinstance(value, str) else ",".join(value) for key, value in url.query.items()}
    parts = (url.host, url.database, url.username, *query, *query.values())
    if any(re.search(r"[\x00-\x1f\x7f]", part or "") for part in parts):
        raise configuration_error(
            f"The URI of the {target.name} database has a control character (%00 to %1F) in another part than the password. Remove it. {RESTARTED}."
        )
    return url, query


def postgresql_tool(target: Store, folder: Path) -> Tool:
    from sqlalchemy import text

    path, version = installed(("pg_dump",), target)
    with engine(target) as database, database.connect() as connection:
        server = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
        others = connection.execute(
            text(
                "SELECT DISTINCT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind IN ('r', 'p') AND n.nspname <> current_schema() AND n.nspname <> 'information_schema'"
                " AND n.nspname NOT LIKE 'pg\\_%'"
            )
        ).scalars()
        # Not --schema: the dump would then create the schema public, which every database has. Names are quoted: they are patterns.
        excluded = [f"--exclude-schema={quoted_name(str(name))}" for name in others]
    require_tool(numbers(version.partition(")")[2], 1), (server,), "pg_dump", target)
    url, query = query_of(target)
    settings = {"host": url.host, "port": url.port, "dbname": url.database, "user": url.username, **query}
    service = folder / "pg_service.conf"
    lines = [f"{key}={value}" for key, value in settings.items() if value not in (None, "")]
    service.write_text("\n".join(["[backup]", *lines, ""]), encoding="utf-8")
    service.chmod(0o600)
    return Tool(
        "pg_dump",
        [
            path,
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--lock-wait-timeout=60000",
            "--no-password",
            f"--exclude-table={RESTORE_TABLE}",
            *excluded,
        ],
        {
            "PGSERVICEFILE": str(service),
            "PGSERVICE": "backup",
            **({"PGPASSWORD": url.password} if url.password else {}),
        },
    )


def quoted_name(name: str) -> str:
    """A name as a pattern of pg_dump that matches nothing else."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def mysql_tool(target: Store, folder: Path) -> Tool:
    from sqlalchemy import text

    path, version = installed(("mariadb-dump", "mysqldump"), target)
    name = Path(path).name
    with engine(target) as database, database.connect() as connection:
        server = str(connection.execute(text("SELECT VERSION()")).scalar_one())
    is_of_mariadb = "MariaDB" in version
    if is_of_mariadb and "MariaDB" in server:
        # "mariadb-dump from 11.8.3-MariaDB, client 10.19", "mysqldump  Ver 10.19 Distrib 10.11.19-MariaDB"
        own = re.search(r"(\d+\.\d+)[.\d]*-MariaDB", version)
        require_tool(numbers(own[1] if own else "0", 2), numbers(server, 2), name, target)
    url, query = query_of(target)
    lines = [
        f"{key}={quoted(str(value))}"
        for key, value in (("host", url.host), ("port", url.port or 3306), ("user", url.username))
    ]
    lines += [
        f"{key.replace('_', '-')}={quoted(query[key])}" for key in ("ssl_ca", "ssl_cert", "ssl_key") if key in query
    ]
    checks_certificate = "ssl_ca" in query
    if query.get("ssl_disabled") == "true":
        lines += ["skip-ssl"] if is_of_mariadb else ["ssl-mode=DISABLED"]
    elif is_of_mariadb:
        lines += ["ssl-verify-server-cert" if checks_certificate else "skip-ssl-verify-server-cert"]
        if "ssl_check_hostname" in query:
            lines += ["ssl"]
    else:
        encrypts = "REQUIRED" if "ssl_check_hostname" in query else "PREFERRED"
        checks = "VERIFY_CA" if query.get("ssl_check_hostname") == "false" else "VERIFY_IDENTITY"
        lines += [f"ssl-mode={checks if checks_certificate else encrypts}"]
    options = folder / "client.cnf"
    options.write_text("\n".join(["[client]", *lines, ""]), encoding="utf-8")
    options.chmod(0o600)
    arguments = [
        "--single-transaction",
        "--no-tablespaces",
        "--hex-blob",
        "--skip-lock-tables",
        "--default-character-set=utf8mb4",
        f"--ignore-table={url.database}.{RESTORE_TABLE}",
    ]
    arguments += [] if is_of_mariadb else ["--set-gtid-purged=OFF", "--column-statistics=0"]
    return Tool(
        name,
        [path, f"--defaults-file={options}", *arguments, "--", str(url.database)],
        {"MYSQL_PWD": url.password} if url.password else {},
    )


def quoted(value: str) -> str:
    """A value of an option file. Only the outer quotes are removed from it."""
    escaped = value.replace("\\", "\\\\")
    return f'"{escaped}"'


class Writer(Protocol):
    def write(self, data: bytes, /) -> int: ...


TOOLS = {"postgresql": postgresql_tool, "mysql": mysql_tool}
SUFFIXES = {"postgresql": "pgdump", "mysql": "sql.gz", "sqlite": "sqlite"}


def dumped(tool: Tool, target: Store, output: Writer) -> None:
    """Runs a tool and passes its output on. Raises Failure if it fails."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            tool.arguments,
            env={**os.environ, **tool.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        if process.stdout is None:
            raise AssertionError
        try:
            while chunk := process.stdout.read(CHUNK):
                output.write(chunk)
        except BaseException:
            process.kill()
            raise
        code = process.wait()
        errors.seek(0)
        text = errors.read(CHUNK).decode("utf-8", "replace")
    if code != 0:
        raise dump_failure(tool, target, code, text)


def dump_failure(tool: Tool, target: Store, code: int, text: str) -> Failure:
    """Returns the failure of a tool by its text, which is not quoted."""
    if code < 0:
        return Failure(
            "BackupFailed",
            f"{tool.name} of the {target.place} was ended by signal {-code}. {RESTARTED}: if it was out of memory, raise spec.pod.resources.limits.memory.",
        )
    without_names = re.sub(r'"[^"]*"', '""', text.lower())
    patterns = (
        (
            r"permission denied for (table|sequence|schema|view|relation)|denied; you need|access denied for user .* to database",
            "DatabasePermissionDenied",
        ),
        (r"could not obtain lock|lock timeout|lock wait timeout|canceling statement", "DatabaseLocked"),
        (r"access denied for user", "DatabaseAuthenticationFailed"),
        (r"unknown database", "DatabaseNotFound"),
        (r"lost connection|can't connect|server has gone away|terminating connection", "DatabaseUnreachable"),
        *CONNECT_TEXTS,
    )
    reason = next((name for pattern, name in patterns if re.search(pattern, without_names)), "BackupFailed")
    if reason == "BackupFailed":
        return Failure(
            reason,
            f"{tool.name} of the {target.place} failed with exit code {code}. {RESTARTED}: run it with the same user to see its message.",
        )
    remedy = {
        "DatabasePermissionDenied": "does not grant this user SELECT on all tables of MLflow's schema. Grant it, or make the user their owner",
        "DatabaseLocked": "has sessions that hold locks on MLflow's tables for more than a minute, such as a migration. Wait until they end",
    }.get(reason) or REMEDIES[reason]
    return Failure(reason, f"Dumping: the {target.place} {remedy}. {RESTARTED}.")


def back_up_sqlite(target: Store, to: Destination, name: str) -> File:
    """Copies an SQLite database while it is in use, and checks the copy."""
    path = Path(target.sqlite_path or "")
    copy = to.copy_path(path)
    remove(copy)
    remove_stale(path)
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=60)) as source,
            contextlib.closing(sqlite3.connect(copy)) as made,
        ):
            source.backup(made)
            # The copy is one file, without a write-ahead log.
            made.execute("PRAGMA journal_mode = DELETE")
            sound = made.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        if not sound:
            raise Failure(
                "DatabaseRejected",
                f"The copy of the {target.place} is damaged, so the database is probably, too. Check its volume. {RESTARTED}.",
            )
        sink = to.create(name)
        with open(copy, "rb") as file:
            while chunk := file.read(CHUNK):
                sink.write(chunk)
                os.utime(copy)
        return sink.finished()
    finally:
        remove(copy)


def remove_stale(database: Path) -> None:
    """Deletes the copies that killed programs have left. The operator runs one backup of a server at a time, except when a node is lost."""
    for copy in database.parent.glob(f"{glob.escape(database.name)}{COPY_SUFFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - copy.stat().st_mtime > STALE_SECONDS:
                copy.unlink()


def remove(copy: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        copy.with_name(f"{copy.name}{suffix}").unlink(missing_ok=True)


def entry_of(target: Store, file: str) -> dict[str, Any]:
    """Returns the entry of a schema in the manifest; its application is `tracking`, `auth` or `oidc`."""
    present, _ = revisions(target)
    role = "tracking" if target.name == "tracking" else "users"
    return {
        "role": role,
        "application": target.name,
        "engine": target.backend,
        "file": file,
        "schemaRevision": ",".join(present),
    }


def back_up_database(target: Store, to: Destination) -> tuple[File, dict[str, Any]]:
    """Writes the dump of a database, and returns its file and its entry in the manifest."""
    role = "tracking" if target.name == "tracking" else "users"
    name = f"{role}.{SUFFIXES[target.backend]}"
    entry = entry_of(target, name)
    if target.sqlite_path is not None:
        return back_up_sqlite(target, to, name), entry
    with tempfile.TemporaryDirectory() as folder:
        tool = TOOLS[target.backend](target, Path(folder))
        sink = to.create(name)
        if target.backend == "mysql":
            with gzip.GzipFile(filename="", mode="wb", fileobj=sink, mtime=0) as compressed:
                dumped(tool, target, compressed)
        else:
            dumped(tool, target, sink)
        return sink.finished(), entry


def back_up_artifacts(folder: Path, to: Destination) -> File:
    """Writes all artifacts as a tar archive. A file that MLflow deletes meanwhile is left out."""
    sink = to.create("artifacts.tar")
    try:
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK) as archive:  # type: ignore[call-overload]
            for path in sorted(walk(folder)):
                try:
                    opened = open(path, "rb")  # noqa: SIM115
                except FileNotFoundError:
                    continue
                with opened:
                    archive.addfile(archive.gettarinfo(arcname=str(path.relative_to(folder)), fileobj=opened), opened)
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, type(error).__name__)
        raise Failure(
            "ArtifactsUnreadable",
            f"The artifacts on the server's volume cannot be read ({code}), or a file became shorter meanwhile. {RESTARTED}: check the owner of the"
            " files and the volume.",
        ) from None
    return sink.finished()


def walk(folder: Path) -> Iterator[Path]:
    def stop(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for parent, _, names in os.walk(folder, onerror=stop):
        yield from (Path(parent, name) for name in names if not Path(parent, name).is_symlink())


def fingerprints(salt: str) -> dict[str, str]:
    """Returns fingerprints of the encryption keys. A salt and scrypt prevent guessing a passphrase from them."""

    def of(value: str) -> str:
        return hashlib.scrypt(value.encode(), salt=bytes.fromhex(salt), n=1 << 14, r=8, p=1, dklen=16).hex()

    return {
        "salt": salt,
        "kekPassphrase": of(os.environ.get("BACKUP_KEK_PASSPHRASE", "")),
        "webhookKey": of(os.environ.get("BACKUP_WEBHOOK_KEY", "")),
    }


def back_up() -> dict[str, Any]:
    """Writes the backup unless it exists, and returns the result."""
    targets = stores()
    for target in targets:
        if target.backend not in SUFFIXES:
            raise Failure(
                "BackupUnsupported",
                f"The {target.place} is of a kind that an MlflowBackup cannot contain, so no backup is written. Use the backups of the database server.",
            )
    with phase(
        "load",
        Failure("MigrationTimeout", "Loading MLflow takes too long. Check the CPU limit of the pod and the image."),
    ):
        import mlflow
        import mlflow.store.db.utils

        limit_transactions()
    to = destination()
    if (known := to.complete()) is not None:
        if known.get("uid") != os.environ["BACKUP_UID"]:
            raise Failure(
                "BackupDestinationRejected",
                f"Writing the backup: {to.location} contains another backup, which was not changed. {RESTARTED}, with another path or prefix.",
            )
        log("the backup is complete already")
        return result(to, known)
    started = now()
    for target in targets:
        unreachable = f"Connecting: the {target.place} {REMEDIES['DatabaseUnreachable']}. {RESTARTED}"
        with phase("connect", Failure("DatabaseUnreachable", unreachable)):
            if target.sqlite_path is not None and not os.path.exists(target.sqlite_path):
                raise Failure(
                    "DatabaseNotFound",
                    f"The {target.place} does not exist yet. Wait until the server is ready. {RESTARTED}.",
                )
            connect(target)
    to.begin()
    files: list[File] = []
    databases: list[dict[str, Any]] = []
    for target in targets:
        # Users can be in the tracking database.
        if databases and target.uri == targets[0].uri:
            databases.append(entry_of(target, files[0].name))
            continue
        log(f"{target.name}: dumping the {target.place}")
        try:
            file, entry = back_up_database(target, to)
        except Failure:
            raise
        except Exception as error:
            if reason_of(error) is None:
                raise
            raise failure(error, target, "Dumping") from None
        log(f"{target.name}: {file.size} bytes")
        files.append(file)
        databases.append(entry)
    location = os.environ.get("BACKUP_ARTIFACTS", "")
    artifacts: dict[str, Any] = {"location": location}
    if location.startswith("/"):
        log("artifacts: copying them from the volume")
        file = back_up_artifacts(Path(location), to)
        log(f"artifacts: {file.size} bytes")
        files.append(file)
        artifacts["file"] = file.name
    manifest = {
        "format": 1,
        "backup": os.environ.get("BACKUP_NAME", ""),
        "uid": os.environ["BACKUP_UID"],
        **({"schedule": os.environ["BACKUP_SCHEDULE"]} if os.environ.get("BACKUP_SCHEDULE") else {}),
        "server": {key: os.environ.get(f"BACKUP_SERVER_{key.upper()}", "") for key in ("name", "namespace", "uid")},
        "startedAt": started,
        "completedAt": now(),
        "mlflowVersion": os.environ.get("BACKUP_MLFLOW_VERSION") or mlflow.__version__,
        "databases": databases,
        "artifacts": artifacts,
        "files": [vars(file) for file in sorted(files, key=lambda file: file.name)],
        "encryptionKeys": fingerprints(secrets.token_hex(16)),
    }
    to.finish((json.dumps(manifest, indent=2) + "\n").encode())
    return result(to, manifest)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def result(to: Destination, manifest: dict[str, Any]) -> dict[str, Any]:
    tracking: dict[str, Any] = next((each for each in manifest["databases"] if each["role"] == "tracking"), {})
    return {
        "location": to.location,
        "size": sum(file["size"] for file in manifest["files"]),
        "mlflowVersion": manifest["mlflowVersion"],
        "schemaRevision": tracking.get("schemaRevision", ""),
    }


def main() -> NoReturn:
    end_on_sigterm()
    log_steps()
    written = completed(
        backed_up,
        lambda error: Failure(
            "BackupFailed",
            f"The backup program failed with {type(error).__name__} at {origin(error)}. {RESTARTED}.",
        ),
    )
    # Reported first: an interrupted deletion of older backups does not make this one fail.
    report(written)
    deleted = retention(lambda: destination().folders())
    finish(written if deleted is None else {**written, "retention": deleted})


def backed_up() -> dict[str, Any]:
    try:
        return back_up()
    except BaseException:
        with contextlib.suppress(Exception):
            destination().abandon()
        raise


if __name__ == "__main__":
    main()

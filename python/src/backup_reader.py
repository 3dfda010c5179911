"""Reads a backup that backup.py has written: from a directory of a volume, or from a prefix of a bucket.

A backup can come from another cluster, so nothing in it is trusted: the manifest is checked, each file is compared with its size and
SHA-256, and no name in the manifest becomes a path outside the backup. Failures have a reason and a message; none has the text of an exception.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backup import BUCKET_REMEDIES, CHUNK, BucketFolder, File
from backup_retention import MANIFEST
from check_artifacts import classify
from mlflow_outcome import Failure, log

# A manifest has about 2 KiB.
MANIFEST_SIZE = 1 << 20
FILE_NAME = re.compile(r"(tracking|users)\.(pgdump|sql\.gz|sqlite)|artifacts\.tar")
ENGINES = ("postgresql", "mysql", "sqlite")
APPLICATIONS = {"tracking": ("tracking",), "users": ("auth", "oidc")}


@dataclass(frozen=True)
class Dump:
    """The dump of one schema. Two schemas of one database are in the same file."""

    role: str
    application: str
    engine: str
    file: File
    revision: str


@dataclass(frozen=True)
class Manifest:
    """The content of a backup. `id` identifies it, wherever its files are."""

    id: str
    version: str
    completed: str
    dumps: tuple[Dump, ...]
    files: tuple[File, ...]
    artifacts: str
    archive: File | None
    keys: dict[str, str]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def revision(self) -> str:
        return next((dump.revision for dump in self.dumps if dump.role == "tracking"), "")


class Source(ABC):
    """Where a backup is. Its methods raise Failure."""

    location: str
    #: How messages name the place.
    place: str

    @abstractmethod
    def chunks(self, name: str) -> Iterator[bytes]:
        """Yields the content of a file. Raises FileNotFoundError if it does not exist."""

    def manifest(self) -> Manifest:
        content = bytearray()
        try:
            for chunk in self.chunks(MANIFEST):
                content += chunk
                if len(content) > MANIFEST_SIZE:
                    raise damaged(self, f"{MANIFEST} is too large")
        except FileNotFoundError:
            raise Failure(
                "BackupManifestNotFound",
                f"There is no {MANIFEST} in {self.place}, so there is no complete backup. Correct the path: it is status.location of the"
                " MlflowBackup without claim or bucket.",
            ) from None
        try:
            return parsed(bytes(content))
        except (KeyError, TypeError, ValueError):
            raise damaged(self, f"{MANIFEST} is not that of a backup") from None

    def verified(self, file: File) -> Iterator[bytes]:
        """Yields the content of a file, but the last part only if size and SHA-256 are those of the manifest."""
        found, size, last = hashlib.sha256(), 0, b""
        try:
            for chunk in self.chunks(file.name):
                found.update(chunk)
                size += len(chunk)
                if size > file.size:
                    break
                if last:
                    yield last
                last = chunk
        except FileNotFoundError:
            raise damaged(self, f"{file.name} is missing") from None
        if size != file.size:
            raise damaged(
                self, f"{file.name} has {'more than ' if size > file.size else ''}{size} bytes instead of {file.size}"
            )
        if found.hexdigest() != file.sha256:
            raise damaged(self, f"the content of {file.name} has another SHA-256 than when it was written")
        yield last

    def verify(self, manifest: Manifest) -> None:
        """Raises Failure unless all files are as they were written."""
        for file in manifest.files:
            log(f"verifying {file.name}: {file.size} bytes")
            for _ in self.verified(file):
                pass


def damaged(source: Source, what: str) -> Failure:
    return Failure(
        "BackupDamaged",
        f"The backup in {source.place} is damaged: {what}. Nothing is restored from it. Use another backup, or a copy of this one.",
    )


class VolumeSource(Source):
    def __init__(self, root: str, directory: str) -> None:
        self._folder = Path(root, directory)
        self.location = str(self._folder)
        self.place = f"directory {directory} of the volume"

    def chunks(self, name: str) -> Iterator[bytes]:
        try:
            # A symbolic link could lead to a file that is not part of the backup.
            with open(os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except FileNotFoundError:
            raise
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, type(error).__name__)
            raise Failure(
                "BackupUnreadable",
                f"Reading the backup: {name} in {self.place} cannot be read ({code}). Check the owner of the files, the access mode of the claim"
                " and the volume.",
            ) from None


class BucketSource(Source):
    def __init__(self, uri: str, directory: str) -> None:
        self._folder = BucketFolder(uri, directory)
        self.location = self._folder.location
        self.place = f"{self._folder.prefix} of {self._folder.place}"

    def chunks(self, name: str) -> Iterator[bytes]:
        with self._reported(name):
            folder = self._folder
            body = folder.client.get_object(Bucket=folder.bucket, Key=folder.key(name))["Body"]
            with contextlib.closing(body):
                while chunk := body.read(CHUNK):
                    yield chunk

    @contextlib.contextmanager
    def _reported(self, name: str) -> Iterator[None]:
        try:
            yield
        except (Failure, GeneratorExit):
            raise
        except Exception as error:
            reason, code = classify(error)
            kind = reason.removeprefix("ArtifactStore")
            if code in ("NoSuchKey", "404"):
                raise FileNotFoundError from None
            if kind == "ReadOnly":
                raise Failure(
                    "BackupUnreadable",
                    f"Reading the backup: {name} in {self.place} does not exist, or the credentials do not allow to read it ({code}). Correct the"
                    " path, or grant s3:GetObject and s3:ListBucket.",
                ) from None
            what = BUCKET_REMEDIES[kind].replace("rejects an upload", "rejects a download")
            raise Failure(
                f"BackupDestination{kind}",
                f'Reading the backup: the bucket "{self._folder.bucket}" {what} ({code}).',
            ) from None


def source() -> Source:
    root, directory = os.environ["BACKUP_DESTINATION"], os.environ["BACKUP_DIRECTORY"]
    return BucketSource(root, directory) if root.startswith("s3://") else VolumeSource(root, directory)


def parsed(content: bytes) -> Manifest:
    """Returns the manifest. Raises KeyError, TypeError or ValueError if it is not one."""
    document = json.loads(content)
    if document["format"] != 1:
        raise ValueError
    files = {each["name"]: file_of(each) for each in document["files"]}
    archive = document["artifacts"].get("file")
    return Manifest(
        id=hashlib.sha256(content).hexdigest(),
        version=text(document["mlflowVersion"], r"\d+\.\d+[\w.+-]{0,58}"),
        completed=text(document["completedAt"], r"[\d:TZ-]{10,30}"),
        dumps=tuple(dump_of(each, files) for each in document["databases"]),
        files=tuple(files.values()),
        artifacts=text(document["artifacts"]["location"], r"[^\x00-\x1f]{0,2048}"),
        archive=None if archive is None else files[archive],
        keys={
            key: text(document["encryptionKeys"][key], r"[0-9a-f]{32}")
            for key in ("salt", "kekPassphrase", "webhookKey")
        },
    )


def file_of(entry: dict[str, Any]) -> File:
    size = entry["size"]
    if type(size) is not int or size < 0:
        raise ValueError
    return File(text(entry["name"], FILE_NAME.pattern), size, text(entry["sha256"], r"[0-9a-f]{64}"))


def dump_of(entry: dict[str, Any], files: dict[str, File]) -> Dump:
    role, application, engine = entry["role"], entry["application"], entry["engine"]
    if application not in APPLICATIONS[role] or engine not in ENGINES:
        raise ValueError
    return Dump(role, application, engine, files[entry["file"]], text(entry["schemaRevision"], r"[\w,]{0,128}"))


def text(value: object, pattern: str) -> str:
    if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
        raise ValueError
    return value

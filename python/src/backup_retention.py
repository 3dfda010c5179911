"""Deletes the files of older backups of a schedule, after a new one is complete.

Part of backup.py, without MLflow. A folder is deleted only if its name is that of a backup of the schedule and its manifest.json names the same
schedule and the same server (by uid). Of such a folder only the files that the manifest lists are deleted, by name: no other file, no directory
with content, and nothing that a symbolic link leads to.

manifest.json is first renamed to removed.json: from then on the folder is not a backup, and the next run continues if this one is interrupted.

Environment: BACKUP_SCHEDULE, the name of the MlflowBackupSchedule, BACKUP_KEEP, the number of complete backups that are kept, BACKUP_OLDER_THAN_SECONDS, the
age up to which they are kept, and that of backup.py. With both, a backup is deleted only if neither keeps it. The age of a backup is the time between
its creation and that of the new one, by the API server's clock, as in the names of folders: the clocks of nodes do not matter.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from check_artifacts import classify
from mlflow_outcome import Failure, log

MANIFEST = "manifest.json"
REMOVED = "removed.json"
#: A manifest has an entry for each file, of which there are at most three.
LONGEST_MANIFEST = 1 << 20
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
RETRIED = "The next backup of the schedule tries it again"


class Folders(ABC):
    """The folders next to a new backup. Its methods raise OSError or the errors of the AWS SDK."""

    @abstractmethod
    def names(self) -> list[str]: ...

    @abstractmethod
    def read(self, folder: str, name: str) -> bytes | None:
        """Returns the content of a file, at most LONGEST_MANIFEST bytes; None if there is no such file."""

    @abstractmethod
    def size(self, folder: str, name: str) -> int | None: ...

    @abstractmethod
    def rename(self, folder: str, name: str, to: str, content: bytes) -> None:
        """Renames a file with this content."""

    @abstractmethod
    def delete(self, folder: str, name: str) -> None:
        """Deletes a file if it exists."""

    @abstractmethod
    def discard(self, folder: str) -> None:
        """Deletes a folder if it is empty."""


class VolumeFolders(Folders):
    """Directories are opened without following symbolic links: other pods can write to the volume."""

    def __init__(self, root: str, directory: str) -> None:
        opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        for part in PurePosixPath(directory).parent.parts:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened)
            os.close(opened)
            opened = below
        self._parent = opened

    @contextlib.contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self._parent)
        try:
            yield opened
        finally:
            os.close(opened)

    def names(self) -> list[str]:
        with os.scandir(self._parent) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]

    def read(self, folder: str, name: str) -> bytes | None:
        with self._opened(folder) as directory:
            try:
                opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ELOOP):
                    return None
                raise
            with open(opened, "rb") as file:
                return file.read(LONGEST_MANIFEST) if stat.S_ISREG(os.fstat(opened).st_mode) else None

    def size(self, folder: str, name: str) -> int | None:
        with self._opened(folder) as directory:
            try:
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                return None
            return found.st_size if stat.S_ISREG(found.st_mode) else None

    def rename(self, folder: str, name: str, to: str, content: bytes) -> None:
        with self._opened(folder) as directory:
            os.rename(name, to, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)

    def delete(self, folder: str, name: str) -> None:
        with self._opened(folder) as directory, contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)

    def discard(self, folder: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(folder, dir_fd=self._parent)


class BucketFolders(Folders):
    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        """`prefix` is that of the new backup, without a trailing slash."""
        self._client, self._bucket = client, bucket
        self._parent = prefix.rpartition("/")[0]

    def _key(self, folder: str, name: str) -> str:
        return "/".join(part for part in (self._parent, folder, name) if part)

    def names(self) -> list[str]:
        prefix = f"{self._parent}/" if self._parent else ""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, Delimiter="/"
        )
        found = [str(each["Prefix"]) for page in pages for each in page.get("CommonPrefixes", [])]
        return [each.removeprefix(prefix).removesuffix("/") for each in found]

    def read(self, folder: str, name: str) -> bytes | None:
        with self._optional():
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(folder, name))
            return bytes(answer["Body"].read(LONGEST_MANIFEST))
        return None

    def size(self, folder: str, name: str) -> int | None:
        with self._optional():
            return int(self._client.head_object(Bucket=self._bucket, Key=self._key(folder, name))["ContentLength"])
        return None

    @contextlib.contextmanager
    def _optional(self) -> Iterator[None]:
        from botocore.exceptions import ClientError

        try:
            yield
        except ClientError as error:
            if str(error.response.get("Error", {}).get("Code")) not in ("NoSuchKey", "404"):
                raise

    def rename(self, folder: str, name: str, to: str, content: bytes) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._key(folder, to), Body=content)
        self.delete(folder, name)

    def delete(self, folder: str, name: str) -> None:
        self._client.delete_object(Bucket=self._bucket, Key=self._key(folder, name))

    def discard(self, folder: str) -> None:
        """Nothing: a bucket has no folders."""


@dataclass
class Schedule:
    """What older backups must have in common with the new one."""

    name: str
    server_uid: str
    #: The folder of the new backup.
    folder: str
    keep: int | None = None
    older_than: timedelta | None = None

    def files_of(self, folder: str, manifest: bytes | None) -> list[tuple[str, int]] | None:
        """Returns the files of a backup of this schedule, with their sizes; None if it is something else."""
        try:
            found = json.loads(manifest or b"")
            backup, server, files = found["backup"], found["server"], found["files"]
            if found["schedule"] != self.name or server["uid"] != self.server_uid or not self.server_uid:
                return None
            if not folder.startswith(f"{backup}-"):
                return None
            listed = [(str(each["name"]), int(each["size"])) for each in files]
        except (KeyError, TypeError, ValueError):
            return None
        is_safe = all(FILE_NAME.fullmatch(name) and name not in (MANIFEST, REMOVED) for name, _ in listed)
        return listed if is_safe else None

    def has(self, folder: str) -> bool:
        """Whether a name is that of a backup of the schedule: with the time of the schedule, that of its creation and a hash."""
        return self._created(folder) is not None

    def _created(self, folder: str) -> datetime | None:
        """The time of the creation of a backup of the schedule, in the name of its folder."""
        found = re.fullmatch(re.escape(self.name) + r"-\d{14}-(\d{8}T\d{6}Z)-[0-9a-f]{10}", folder)
        with contextlib.suppress(ValueError):
            return None if found is None else datetime.strptime(found[1], "%Y%m%dT%H%M%S%z")
        return None

    def kept(self, complete: list[str]) -> set[str]:
        """Returns the folders of complete backups that are kept, of those of the older ones."""
        kept = {self.folder}
        if self.keep is not None:
            kept.update(sorted([*complete, self.folder])[-self.keep :])
        if self.older_than is not None:
            new = self._created(self.folder)
            for folder in complete:
                created = self._created(folder)
                if new is None or created is None or new - created <= self.older_than:
                    kept.add(folder)
        return kept


def delete_older(folders: Folders, schedule: Schedule) -> int:
    """Deletes the files of the backups that are not kept, never those of the new one. Returns the number of deleted backups."""
    own = schedule.files_of(schedule.folder, folders.read(schedule.folder, MANIFEST))
    if own is None or any(folders.size(schedule.folder, name) != size for name, size in own):
        raise Failure(
            "RetentionFailed",
            "Deleting older backups: the files of the new backup are not as they were written, so none were deleted. Check the destination.",
        )
    complete = {}
    deleted = 0
    for folder in sorted(each for each in folders.names() if schedule.has(each) and each != schedule.folder):
        manifest = folders.read(folder, MANIFEST)
        files = schedule.files_of(folder, manifest)
        if manifest is not None and files is not None:
            complete[folder] = (manifest, files)
            continue
        # An earlier run was interrupted.
        files = schedule.files_of(folder, folders.read(folder, REMOVED)) if manifest is None else None
        if files is not None:
            remove(folders, folder, files)
            deleted += 1
    kept = schedule.kept(list(complete))
    for folder, (manifest, files) in complete.items():
        if folder in kept:
            continue
        folders.rename(folder, MANIFEST, REMOVED, manifest)
        remove(folders, folder, files)
        deleted += 1
    return deleted


def remove(folders: Folders, folder: str, files: list[tuple[str, int]]) -> None:
    for name, _ in files:
        folders.delete(folder, name)
    folders.delete(folder, REMOVED)
    folders.discard(folder)
    log(f"retention: deleted {folder}")


def retention(folders_of: Any) -> dict[str, Any] | None:
    """Returns the result of the deletion: {"deleted"}, or {"reason", "message"}; None if the backup deletes none."""
    keep, seconds = os.environ.get("BACKUP_KEEP", ""), os.environ.get("BACKUP_OLDER_THAN_SECONDS", "")
    if not keep and not seconds:
        return None
    schedule = Schedule(
        os.environ["BACKUP_SCHEDULE"],
        os.environ["BACKUP_SERVER_UID"],
        PurePosixPath(os.environ["BACKUP_DIRECTORY"]).name,
        max(1, int(keep)) if keep else None,
        timedelta(seconds=max(1, int(seconds))) if seconds else None,
    )
    try:
        return {"deleted": delete_older(folders_of(), schedule)}
    except Failure as problem:
        return {"reason": problem.reason, "message": problem.message}
    except Exception as error:
        return {"reason": "RetentionFailed", "message": f"{described(error)} {RETRIED}."}


def described(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        code = errno.errorcode.get(error.errno, type(error).__name__)
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            return f"Deleting older backups: the path to them has a symbolic link or a file ({code}). Remove it."
        return (
            f"Deleting older backups: the volume rejects it ({code}). Check the owner of their files, and the volume."
        )
    reason, code = classify(error)
    if reason == "ArtifactStoreReadOnly":
        return (
            f"Deleting older backups: the bucket denies it ({code}). Grant s3:DeleteObject on the prefix and s3:ListBucket on the bucket, or remove"
            " spec.retention of the schedule."
        )
    return f"Deleting older backups: the bucket rejects it ({code}). Check the bucket and its policy."

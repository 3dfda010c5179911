"""Restores the artifacts of a backup to an empty directory of a volume.

The archive is unpacked into a directory next to it, which then gets its name. A file next to both records the backup before that. An
archive can come from elsewhere: only files and directories below the target are created, without links, devices and owners.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from backup import CHUNK, sync
from mlflow_outcome import Failure

RECORD = ".mlflow-operator-restore"
FULL = (errno.ENOSPC, errno.EDQUOT)


class ArtifactTarget:
    """The directory of the artifacts."""

    def __init__(self, folder: Path, backup: str) -> None:
        self._folder = folder
        self._backup = backup
        self._unpacked = folder.with_name(f"{folder.name}.restoring")
        self._record = folder.with_name(RECORD)

    def is_restored(self) -> bool:
        if not self._is_recorded():
            return False
        if self._unpacked.exists():
            self._complete()
        return True

    def require_empty(self) -> None:
        with reported():
            if self._folder.exists() and any(self._folder.iterdir()):
                raise Failure(
                    "RestoreTargetNotEmpty",
                    f"The volume of the server already has artifacts in {self._folder}, which are not of this backup, so nothing was"
                    " restored. Use an empty volume, or remove spec.restore to use the volume as it is.",
                )

    def restore(self, content: Iterator[bytes]) -> None:
        with reported():
            if self._unpacked.exists():
                shutil.rmtree(self._unpacked)
            self._unpacked.mkdir(parents=True)
            try:
                unpack(content, self._unpacked)
            except BaseException:
                # The space is needed for the next attempt.
                shutil.rmtree(self._unpacked, ignore_errors=True)
                raise
            os.sync()
            draft = self._record.with_name(f"{RECORD}.new")
            draft.write_text(json.dumps({"backup": self._backup}), encoding="utf-8")
            draft.rename(self._record)
            self._complete()

    def _is_recorded(self) -> bool:
        with contextlib.suppress(FileNotFoundError, ValueError), reported():
            found = json.loads(self._record.read_text(encoding="utf-8"))
            return isinstance(found, dict) and found.get("backup") == self._backup
        return False

    def _complete(self) -> None:
        with reported():
            if self._folder.exists():
                self._folder.rmdir()
            self._unpacked.rename(self._folder)
            sync(self._folder.parent)


class Reader:
    """The content of an archive as a file."""

    def __init__(self, content: Iterator[bytes]) -> None:
        self._content = content
        self._rest = b""

    def read(self, size: int) -> bytes:
        while not self._rest:
            chunk = next(self._content, None)
            if chunk is None:
                return b""
            self._rest = chunk
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def unpack(content: Iterator[bytes], folder: Path) -> None:
    """Writes the files of an archive. Raises Failure for anything else in it."""
    reader = Reader(content)
    try:
        with tarfile.open(fileobj=reader, mode="r|", bufsize=CHUNK) as archive:  # type: ignore[call-overload]
            for member in archive:
                if not (member.isfile() or member.isdir()):
                    raise rejected("a link or a device")
                archive.extract(member, folder, filter="data")
    except tarfile.FilterError:
        raise rejected("a path to another directory") from None
    except tarfile.TarError:
        raise rejected("a part that is not of a tar archive") from None
    # What follows the archive must have the right checksum as well.
    while reader.read(CHUNK):
        pass


def rejected(what: str) -> Failure:
    return Failure(
        "BackupDamaged",
        f"artifacts.tar of the backup contains {what}, which no MlflowBackup writes. Nothing was restored. Use another backup.",
    )


@contextlib.contextmanager
def reported() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        code = errno.errorcode.get(error.errno or 0, type(error).__name__)
        if error.errno in FULL:
            raise Failure(
                "RestoreVolumeFull",
                "The volume of the server has no space left for the artifacts of the backup. What was unpacked is deleted, and the restore is"
                " repeated. Enlarge the volume.",
            ) from None
        raise Failure(
            "RestoreFailed",
            f"The artifacts cannot be written to the volume of the server ({code}). Check the owner of its directories, the pod's fsGroup, and how"
            " it is mounted.",
        ) from None

"""The file of `spec.access`, which the operator writes and the kubelet updates in running pods."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .grants import Grants, Key, same

#: How often the file is compared with the one that was read.
CHECK_SECONDS = 2.0
#: The version of a file that cannot be read at the moment: it is read again.
UNREADABLE = (-1, -1)

log = logging.getLogger("mlflow.operator.access")


class GrantsFile:
    """The grants in the operator's file, which is read again after a change.

    Without a file there are no grants: the operator removes it with spec.access, before the pods. A damaged file grants nothing as well, and no
    process starts with it.
    """

    def __init__(
        self, path: Path, user_key: Key = same, group_key: Key = same, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._keys = (user_key, group_key)
        self._clock = clock
        self._lock = threading.Lock()
        #: Called after a change.
        self.changed: list[Callable[[], Any]] = []
        self._version = self._current()
        self._grants = self._read(self._version)
        self._checked = clock()
        if self._version is None:
            log.warning("There are no grants of spec.access: %s is missing", path)

    def grants(self) -> Grants:
        if self._clock() - self._checked >= CHECK_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._checked = self._clock()
                self._update()
            finally:
                self._lock.release()
        return self._grants

    def _update(self) -> None:
        version = self._current()
        if version == self._version:
            return
        try:
            self._grants = self._read(version)
        except Exception as error:
            # Not the previous grants: the change may have removed some of them.
            self._grants = Grants(())
            version = UNREADABLE if isinstance(error, OSError) else version
            log.error("Nothing is granted by spec.access: %s cannot be read: %s", self._path, type(error).__name__)
        self._version = version
        for each in self.changed:
            each()
        log.info("The grants of spec.access have changed")

    def _current(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError:
            return UNREADABLE
        return found.st_mtime_ns, found.st_ino

    def _read(self, version: tuple[int, int] | None) -> Grants:
        if version is None:
            return Grants(())
        return Grants(json.loads(self._path.read_text(encoding="utf-8"))["grants"], *self._keys)

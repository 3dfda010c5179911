"""A short-lived cache of the directory's answers: a page of the UI makes about forty concurrent requests."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Answers by key, each with its own lifetime, and at most `size` of them."""

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._clock = clock
        self._entries: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Value | None:
        with self._lock:
            until, value = self._entries.get(key, (0.0, None))
            return value if self._clock() < until else None

    def put(self, key: Hashable, value: Value, seconds: float) -> None:
        with self._lock:
            self._entries[key] = (self._clock() + seconds, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def get_or_query(self, key: Hashable, answer: Callable[[], tuple[Value, float]]) -> Value:
        """Returns the cached answer, or calls `answer` for it and its lifetime. Only one caller at a time does so for a key."""
        with self._lock:
            turn = self._locks.setdefault(key, threading.Lock())
        with turn:
            try:
                known = self.get(key)
                if known is None:
                    known, seconds = answer()
                    self.put(key, known, seconds)
                return known
            finally:
                with self._lock:
                    self._locks.pop(key, None)


class CredentialKey:
    """Cache keys that do not reveal the credentials: an HMAC with a secret of this process."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def __call__(self, name: str, password: str) -> bytes:
        return hmac.digest(self._secret, b"\0".join(part.encode() for part in (name, password)), "sha256")

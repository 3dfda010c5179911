"""What the programs that run before MLflow or oauth2-proxy have in common: output, deadlines, and the report of a failure.

A failure is one line of JSON, {"reason", "message"}, on stderr and in the container's termination log, where the operator reads it. Reasons are those of
the status, and messages contain no credential and no text of an exception, because drivers and clients quote their input.

Environment:
  TERMINATION_LOG  where a failure is reported; default /dev/termination-log
  STARTUP_SECONDS  how many seconds a peer can take to start; default 20
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

Result = TypeVar("Result")

OUT = sys.stdout
ERR = sys.stderr
# The kubelet keeps 4,096 bytes of a termination log.
MESSAGE_LENGTH = 2000


@dataclass
class Failure(Exception):
    """The end of a program: a reason and a message for the user."""

    reason: str
    message: str


def log(line: str) -> None:
    print(line, file=OUT, flush=True)


def silence_libraries() -> None:
    """Only `log` and the report of a failure are written from now on: libraries quote connection strings and credentials."""
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    warnings.simplefilter("ignore")


def end_on_sigterm() -> None:
    """Exits on SIGTERM: process 1 of a container ignores a signal without a handler."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))


def completed(work: Callable[[], Result], unexpected: Callable[[BaseException], Failure]) -> Result:
    """Returns the result of `work`, or ends the program with its failure; any other exception is `unexpected`."""
    try:
        return work()
    except Failure as failure:
        give_up(failure)
    except BaseException as error:
        give_up(unexpected(error))


def give_up(failure: Failure) -> NoReturn:
    result = {"reason": failure.reason, "message": failure.message[:MESSAGE_LENGTH]}
    print(json.dumps(result), file=ERR, flush=True)
    report(result)
    # Threads that a library started must not delay the exit or print during it.
    os._exit(1)


def succeed() -> NoReturn:
    OUT.flush()
    os._exit(0)


def report(result: dict[str, Any]) -> None:
    """Writes a result as one line of JSON to the termination log."""
    with contextlib.suppress(OSError):
        path = os.environ.get("TERMINATION_LOG") or "/dev/termination-log"
        Path(path).write_text(f"{json.dumps(result)}\n", encoding="utf-8")


def finish(result: dict[str, Any]) -> NoReturn:
    """Ends the program with a result in the termination log."""
    report(result)
    log("done")
    succeed()


@contextlib.contextmanager
def deadline(seconds: float, timeout: Failure) -> Iterator[None]:
    """Ends the program with this failure if the block does not end in time. This covers everything that can hang, such as DNS resolution."""
    late = Failure(timeout.reason, f"{timeout.message.rstrip('.')} (timeout after {seconds:g} s).")
    timer = threading.Timer(seconds, give_up, [late])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Peers:
    """Peers that can take STARTUP_SECONDS to start, all together."""

    def __init__(self) -> None:
        self._ends = time.monotonic() + float(os.environ.get("STARTUP_SECONDS") or "20")

    def require(self, check: Callable[[], None], unreachable: str) -> None:
        """Repeats a check each second while it fails with this reason and the time has not passed. Another failure ends the program."""
        while True:
            try:
                return check()
            except Failure as failure:
                if failure.reason != unreachable or time.monotonic() > self._ends:
                    give_up(failure)
                time.sleep(1)

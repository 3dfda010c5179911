"""`mlflow server` in one process: `python -P -m mlflow_operator.start` with the arguments of `mlflow server`.

MLflow's command imports MLflow, checks its options and the database, and then starts uvicorn as another process, which imports all of
it again. Here MLflow's own command runs unchanged up to where it starts that process. With one worker uvicorn then runs in this
process. With more than one, uvicorn replaces this process and starts the workers.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import mlflow_late_imports

from . import url_builders
from .listen import ALL_OF_IPV4, has_ipv6

#: Variables that MLflow reads when it creates the application or handles a request, so that they can be set after its import.
LATE = frozenset(
    "_MLFLOW_SERVER_ARTIFACT_ROOT _MLFLOW_SERVER_ARTIFACT_DESTINATION _MLFLOW_SERVER_BOOT_ID _MLFLOW_HUEY_STORAGE_PATH"
    " _MLFLOW_AUTH_ADMIN_BOOTSTRAPPED _MLFLOW_INTERNAL_GATEWAY_AUTH_TOKEN _MLFLOW_IN_JOB_EXECUTOR MLFLOW_TRACKING_URI"
    " MLFLOW_REGISTRY_URI MLFLOW_SERVER_SECRETS_CACHE_TTL MLFLOW_SERVER_SECRETS_CACHE_MAX_SIZE".split()
)

#: Prefixes of the other variables that MLflow reads when it is imported.
OF_MLFLOW = ("MLFLOW_", "_MLFLOW_", "prometheus_")

#: Variables whose absence has the same effect as this value.
DEFAULTS = {"MLFLOW_ENABLE_WORKSPACES": "false"}

UVICORN = ["-m", "uvicorn"]


def expected(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that the command sets for its server and MLflow reads when it is imported. They enable the Host check and forbid frames."""
    store = environment.get("MLFLOW_BACKEND_STORE_URI", "")
    found = {"_MLFLOW_SGI_NAME": "uvicorn", "_MLFLOW_SERVER_FILE_STORE": store, "_MLFLOW_SERVER_REGISTRY_STORE": store}
    # The command takes an empty variable for none, and MLFLOW_SERVER_X_FRAME_OPTIONS without a value means no header at all.
    found["MLFLOW_SERVER_X_FRAME_OPTIONS"] = environment.get("MLFLOW_SERVER_X_FRAME_OPTIONS") or "SAMEORIGIN"
    if environment.get("MLFLOW_SERVE_ARTIFACTS", "true") == "true":
        found["_MLFLOW_SERVER_SERVE_ARTIFACTS"] = "true"
    return found


def relevant(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that MLflow may have read when it was imported."""
    own = {name: value for name, value in environment.items() if name.startswith(OF_MLFLOW) and name not in LATE}
    return {**DEFAULTS, **own}


class Server:
    """Replaces the process that the command starts."""

    def __init__(self, arguments: Sequence[str], run: Callable[[Sequence[str]], Any]) -> None:
        self.pid = os.getpid()
        self._arguments = arguments
        self._run = run
        self._has_ended = False

    def poll(self) -> int | None:
        return 0 if self._has_ended else None

    def send_signal(self, number: int) -> None:
        """Called by the command's signal handler, which uvicorn replaces while it runs."""
        sys.exit(128 + number)

    def wait(self) -> None:
        try:
            self._run(self._arguments)
        finally:
            self._has_ended = True


class Launcher:
    """Replaces the function with which the command starts uvicorn."""

    def __init__(
        self,
        imported_with: Mapping[str, str],
        run: Callable[[Sequence[str]], Any],
        replace: Callable[[str, list[str], Mapping[str, str]], Any] = os.execve,
    ) -> None:
        self._imported_with = relevant(imported_with)
        self._run = run
        self._replace = replace

    def __call__(self, command: Sequence[Any], *, extra_env: Mapping[str, str], **_: Any) -> Server:
        words = on_all_addresses([str(word) for word in command])
        if words[1:3] != UVICORN:
            raise RuntimeError(f"MLflow starts its server with another program than uvicorn: {words[1:3]}")
        environment: MutableMapping[str, str] = {**os.environ, **extra_env}
        if self.is_possible(words, environment):
            os.environ.update(extra_env)
            return Server(words[3:], self._run)
        return Server(words, lambda words: self._replace(words[0], list(words), environment))

    def is_possible(self, words: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Returns whether uvicorn can run in this process: with one worker, and with the variables that MLflow read when it was imported."""
        one = words[words.index("--workers") + 1] == "1"
        return one and "--reload" not in words and relevant(environment) == self._imported_with


def on_all_addresses(words: list[str]) -> list[str]:
    """Returns the command with a host that includes the addresses of IPv6, if it has all addresses of IPv4 and the node has IPv6.

    MLflow's command takes an empty host for none. In one process uvicorn opens a socket for each IP family if the host is empty; with workers it
    opens one socket, which has both families if the host is ::.
    """
    if ALL_OF_IPV4 not in words or not has_ipv6():
        return words
    host = "" if words[words.index("--workers") + 1] == "1" else "::"
    return [
        host if before == "--host" and word == ALL_OF_IPV4 else word
        for before, word in zip(["", *words], words, strict=False)
    ]


def end(number: int, _: object) -> None:
    """Process 1 of a container ignores signals that it does not handle: it would end only after the grace period."""
    sys.exit(128 + number)


def main() -> None:
    # Until the application is complete: mlflow_operator.app enables it.
    gc.disable()
    signal.signal(signal.SIGTERM, end)
    os.environ.update(expected(os.environ))
    imported_with = dict(os.environ)
    mlflow_late_imports.install()
    url_builders.install()
    import uvicorn.main
    from mlflow import server
    from mlflow.cli import cli

    if not callable(getattr(server, "_exec_cmd", None)):
        raise RuntimeError("This MLflow starts its server in another way, so this program could omit a check.")
    server._exec_cmd = Launcher(imported_with, lambda arguments: uvicorn.main.main(arguments, prog_name="uvicorn"))
    cli(["server", *sys.argv[1:]], prog_name="mlflow")


if __name__ == "__main__":
    main()

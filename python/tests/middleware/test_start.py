import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

from mlflow_operator import start
from mlflow_operator.listen import all_addresses, has_ipv6
from mlflow_operator.start import Launcher, expected, on_all_addresses

COMMAND = [
    sys.executable,
    "-m",
    "uvicorn",
    "--host",
    "127.0.0.1",
    "--port",
    "5000",
    "--workers",
    "1",
    "--factory",
    "some:app",
]
EXTRA = {"_MLFLOW_SGI_NAME": "uvicorn", "_MLFLOW_SERVER_BOOT_ID": "1"}


class LauncherTest(unittest.TestCase):
    def started(
        self,
        command: Sequence[str] = COMMAND,
        extra: Mapping[str, str] = EXTRA,
        changes: Mapping[str, str] | None = None,
    ) -> tuple[tuple[Any, ...], dict[str, str]]:
        """What is run in this process, or by which command it is replaced."""
        calls: list[tuple[Any, ...]] = []
        imported_with = {**os.environ, **expected(os.environ)}
        with mock.patch.dict(os.environ, {**imported_with, **(changes or {})}):
            launcher = Launcher(
                imported_with, lambda words: calls.append(("here", words)), lambda *call: calls.append(("exec", *call))
            )
            server = launcher(command, extra_env=extra, capture_output=False, synchronous=False)
            self.assertEqual(calls, [])
            self.assertIsNone(server.poll())
            self.assertEqual(server.pid, os.getpid())
            server.wait()
            self.assertEqual(server.poll(), 0)
            return calls[0], dict(os.environ)

    def test_one_worker_runs_in_this_process(self) -> None:
        call, environment = self.started()
        self.assertEqual(call, ("here", COMMAND[3:]))
        self.assertEqual(environment["_MLFLOW_SERVER_BOOT_ID"], "1")

    def test_more_workers_replace_it(self) -> None:
        command = ["4" if word == "1" else word for word in COMMAND]
        (kind, program, words, environment), _ = self.started(command)
        self.assertEqual((kind, program, words), ("exec", sys.executable, command))
        self.assertEqual(environment["_MLFLOW_SERVER_BOOT_ID"], "1")

    def test_what_the_import_has_not_seen_replaces_it(self) -> None:
        for extra in ({"prometheus_multiproc_dir": "/tmp/metrics"}, {"_MLFLOW_STATIC_PREFIX": "/mlflow"}):
            call, _ = self.started(extra={**EXTRA, **extra})
            self.assertEqual(call[0], "exec", extra)
        for name, value in (
            ("MLFLOW_SERVER_ALLOWED_HOSTS", "other.example.com"),
            ("MLFLOW_SERVER_X_FRAME_OPTIONS", "DENY"),
        ):
            call, _ = self.started(changes={name: value})
            self.assertEqual(call[0], "exec", name)

    def test_what_is_read_later_is_no_reason(self) -> None:
        late = {"MLFLOW_TRACKING_URI": "sqlite://", "MLFLOW_SERVER_SECRETS_CACHE_TTL": "120"}
        call, _ = self.started(extra={**EXTRA, **late})
        self.assertEqual(call[0], "here")

    def test_the_default_of_workspaces_is_no_change(self) -> None:
        call, _ = self.started(changes={"MLFLOW_ENABLE_WORKSPACES": "false"})
        self.assertEqual(call[0], "here")
        call, _ = self.started(changes={"MLFLOW_ENABLE_WORKSPACES": "true"})
        self.assertEqual(call[0], "exec")

    def test_all_addresses_include_those_of_ipv6(self) -> None:
        everywhere = ["0.0.0.0" if word == "127.0.0.1" else word for word in COMMAND]
        workers = ["4" if word == "1" else word for word in everywhere]
        for is_possible, host, host_of_workers in ((True, "", "::"), (False, "0.0.0.0", "0.0.0.0")):
            with mock.patch("mlflow_operator.start.has_ipv6", return_value=is_possible):
                call, _ = self.started(everywhere)
                self.assertEqual(call, ("here", [host if word == "0.0.0.0" else word for word in everywhere[3:]]))
                (_, _, words, _), _ = self.started(workers)
                self.assertEqual(words, [host_of_workers if word == "0.0.0.0" else word for word in workers])

    def test_another_server_than_uvicorn_is_an_error(self) -> None:
        with self.assertRaises(RuntimeError):
            self.started([sys.executable, "-m", "gunicorn", "app"])


@unittest.skipIf(find_spec("uvicorn") is None, "no uvicorn")
@unittest.skipUnless(has_ipv6(), "no IPv6")
class ListenTest(unittest.TestCase):
    """The addresses on which uvicorn listens, by connections to a real process."""

    def families_of(self, options: list[str], command: Callable[[list[str]], list[str]]) -> set[str]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        own = [sys.executable, "-m", *options, "--port", str(port), "--factory", "builtins:object"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(command(own), stderr=subprocess.DEVNULL, env=environment)
        try:
            return {host for host in ("127.0.0.1", "::1") if is_open(host, port, process)}
        finally:
            process.terminate()
            process.wait()

    def test_of_mlflow_are_those_of_both_families(self) -> None:
        for workers in ("1", "2"):
            options = ["uvicorn", "--host", "0.0.0.0", "--workers", workers]
            self.assertEqual(self.families_of(options, on_all_addresses), {"127.0.0.1", "::1"}, workers)

    def test_of_the_listener_are_those_of_both_families(self) -> None:
        self.assertEqual(self.families_of(["mlflow_operator.listen"], lambda own: own), {"127.0.0.1", "::1"})


class AddressesTest(unittest.TestCase):
    def test_are_those_of_ipv4_if_no_socket_can_have_one_of_ipv6(self) -> None:
        self.assertEqual(all_addresses(), "" if has_ipv6() else "0.0.0.0")
        with mock.patch("socket.create_server", side_effect=OSError(errno.EADDRNOTAVAIL, "turned off")):
            self.assertEqual(all_addresses(), "0.0.0.0")


def is_open(host: str, port: int, process: subprocess.Popen[bytes]) -> bool:
    for _ in range(600):
        try:
            socket.create_connection((host, port), 5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return True
        if process.poll() is not None:
            return False
    return False


@unittest.skipIf(find_spec("mlflow") is None, "no MLflow")
class ImportTest(unittest.TestCase):
    def test_host_and_frames_are_checked_though_mlflow_is_imported_before_uvicorn_runs(self) -> None:
        """MLflow installs its check when it is imported, and only where it knows that it runs as a server."""
        program = "\n".join(
            [
                "import os",
                "from mlflow_operator.start import expected",
                "os.environ.update(expected(os.environ))",
                "from mlflow.server import app",
                "answer = app.test_client().get('/api/2.0/mlflow/experiments/get', headers={'Host': 'evil.example.com'})",
                "page = app.test_client().get('/health', headers={'Host': 'localhost'})",
                "print(answer.status_code, page.headers.get('X-Frame-Options'))",
            ]
        )
        environment = {
            **os.environ,
            "MLFLOW_BACKEND_STORE_URI": "sqlite://",
            "MLFLOW_SERVER_ALLOWED_HOSTS": "localhost",
            "MLFLOW_SERVER_X_FRAME_OPTIONS": "",
        }
        answer = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
        self.assertEqual(answer.stdout.strip().splitlines()[-1:], ["403 SAMEORIGIN"], answer.stderr)

    def test_garbage_is_collected_as_soon_as_the_application_is_complete(self) -> None:
        program = "\n".join(
            [
                "import gc",
                "from mlflow_operator.app import create_app",
                "gc.disable()",
                "create_app()",
                "print(gc.isenabled(), gc.get_freeze_count() > 100_000)",
            ]
        )
        settings = {"application": "plain", "corsOrigins": [], "aiGateway": False, "additionalLocations": []}
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(Path(start.__file__).parent, Path(folder, "mlflow_operator"))
            limits = {
                "maxRequestBodyBytes": 1000,
                "maxUploadBytes": 1000,
                "prefix": None,
                "metricsPort": None,
                "access": None,
            }
            Path(folder, "mlflow_operator", "settings.json").write_text(json.dumps({**settings, **limits}))
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, *sys.path])}
            answer = subprocess.run(
                [sys.executable, "-P", "-c", program], env=environment, capture_output=True, text=True, check=False
            )
        self.assertEqual(answer.stdout.strip().splitlines()[-1:], ["True True"], answer.stderr)


if __name__ == "__main__":
    unittest.main()

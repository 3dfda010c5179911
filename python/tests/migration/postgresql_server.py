"""A PostgreSQL server for the tests. Requires PostgreSQL's programs; PG_BIN is their folder."""

import os
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import psycopg2

PROGRAMS = Path(os.environ.get("PG_BIN") or next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), "/nowhere"))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@unittest.skipUnless((PROGRAMS / "initdb").exists(), "PostgreSQL is not installed")
class PostgresqlCase(unittest.TestCase):
    """A server for the tests of a class. The user mlflow is its superuser, without a password."""

    folder: Path
    port: int
    user: dict[str, Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.port = free_port()
        # The server does not run as root.
        cls.user = {"user": "nobody"} if os.getuid() == 0 else {}
        if cls.user:
            shutil.chown(cls.folder, "nobody")
        data = cls.folder / "data"
        run: dict[str, Any] = {"check": True, "stdout": subprocess.DEVNULL, "cwd": cls.folder, **cls.user}
        subprocess.run([PROGRAMS / "initdb", "-D", data, "-U", "mlflow", "-A", "trust"], **run)
        settings = f"-p {cls.port} -k {cls.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        subprocess.run(
            [PROGRAMS / "pg_ctl", "-D", data, "-o", settings, "-l", cls.folder / "log", "-w", "start"], **run
        )

    @classmethod
    def tearDownClass(cls) -> None:
        subprocess.run(
            [PROGRAMS / "pg_ctl", "-D", cls.folder / "data", "-m", "immediate", "stop"],
            stdout=subprocess.DEVNULL,
            cwd=cls.folder,
            **cls.user,
        )
        shutil.rmtree(cls.folder)

    def connect(self, database: str = "mlflow") -> Any:
        return psycopg2.connect(
            host="127.0.0.1", port=self.port, user="mlflow", dbname=database, application_name="nightly report"
        )

"""Tests of a backup and a restore of MariaDB with the installed MLflow. Requires its programs; MARIADB_BIN is their folder."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

import pymysql

import migrate
from migration_process import make_earlier
from mlflow_outcome import Failure
from postgresql_server import free_port
from restore_process import restored
from test_backup import KEY, backed_up

# The user without privileges of Debian: the server does not run as root.
USER = pwd.getpwuid(65534).pw_name
PROGRAMS = Path(os.environ.get("MARIADB_BIN") or "/usr/sbin")


@unittest.skipUnless((PROGRAMS / "mariadbd").exists(), "MariaDB is not installed")
class Mysql(unittest.TestCase):
    folder: Path
    port: int
    server: subprocess.Popen[bytes]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.port = free_port()
        data = cls.folder / "data"
        data.mkdir()
        user = [f"--user={USER}"] if os.getuid() == 0 else []
        if user:
            shutil.chown(cls.folder, USER)
            shutil.chown(data, USER)
        common = ["--no-defaults", f"--datadir={data}", *user]
        sql = "CREATE DATABASE mysql; USE mysql;"
        subprocess.run(
            [PROGRAMS / "mariadbd", *common, "--bootstrap", "--skip-grant-tables"],
            input=sql.encode(),
            check=False,
            capture_output=True,
        )
        cls.server = subprocess.Popen(
            [
                PROGRAMS / "mariadbd",
                *common,
                *("--skip-grant-tables", "--bind-address=127.0.0.1", f"--port={cls.port}", f"--socket={cls.folder}/s"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=open(cls.folder / "log", "wb"),  # noqa: SIM115
        )
        for _ in range(120):
            try:
                cls.execute(None, "CREATE DATABASE mlflow CHARACTER SET utf8mb4")
                break
            except pymysql.err.OperationalError:
                time.sleep(1)
        uri = cls.uri("mlflow")
        make_earlier(uri, 0)
        cls.execute("mlflow", "UPDATE experiments SET name = 'quote '' ; back\\\\ line\\n-- 模型 100%s;'")
        path = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
        code, _, output = backed_up(uri, cls.folder, path)
        assert code == 0, output

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.send_signal(signal.SIGTERM)
        cls.server.wait(60)
        shutil.rmtree(cls.folder)

    @classmethod
    def uri(cls, database: str) -> str:
        return f"mysql+pymysql://mlflow@127.0.0.1:{cls.port}/{database}?charset=utf8mb4"

    @classmethod
    def execute(cls, database: str | None, *statements: str) -> list[Any]:
        connection = pymysql.connect(
            host="127.0.0.1", port=cls.port, user="mlflow", database=database, charset="utf8mb4", autocommit=True
        )
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def setUp(self) -> None:
        self.execute(None, "DROP DATABASE IF EXISTS restored", "CREATE DATABASE restored CHARACTER SET utf8mb4")

    def settings(self) -> dict[str, str]:
        return {
            "TRACKING_DATABASE_URI": self.uri("restored"),
            "BACKUP_DESTINATION": str(self.folder),
            "BACKUP_DIRECTORY": "team/tracking/first",
            "BACKUP_ARTIFACTS": "s3://artifacts",
            "BACKUP_KEK_PASSPHRASE": KEY,
            "BACKUP_WEBHOOK_KEY": KEY,
        }

    def test_a_dump_is_restored_once_with_every_character(self) -> None:
        code, report = restored(self.settings())
        self.assertEqual(code, 0, report)
        self.assertEqual(report["experiments"], 1)
        every = "SELECT * FROM experiments"
        self.assertEqual(self.execute("restored", every), self.execute("mlflow", every))
        tables = (
            "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}'"
            " AND table_name <> 'mlflow_restore_record' ORDER BY 1"
        )
        self.assertEqual(self.execute(None, tables.format("restored")), self.execute(None, tables.format("mlflow")))
        triggers = "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = '{}' ORDER BY 1"
        self.assertEqual(self.execute(None, triggers.format("restored")), self.execute(None, triggers.format("mlflow")))
        self.execute("restored", "UPDATE experiments SET name = 'of the server'")
        self.assertEqual(restored(self.settings()), (0, report))
        self.assertEqual(self.execute("restored", "SELECT name FROM experiments"), [("of the server",)])

    def test_an_interrupted_restore_begins_again_and_is_not_migrated(self) -> None:
        self.execute(
            "restored",
            "CREATE TABLE mlflow_restore_record (backup varchar(64) NOT NULL, state varchar(16) NOT NULL)",
            f"INSERT INTO mlflow_restore_record VALUES ('{'0' * 64}', 'started')",
            "CREATE TABLE experiments (half integer PRIMARY KEY)",
            "CREATE TABLE `of``half` (half integer)",
        )
        target = migrate.store("tracking", self.uri("restored"), "")
        with self.assertRaises(Failure) as raised:
            migrate.require_complete_restore(target)
        self.assertEqual(raised.exception.reason, "RestoreIncomplete")
        code, report = restored(self.settings())
        self.assertEqual(code, 0, report)
        self.assertEqual(report["experiments"], 1)
        migrate.require_complete_restore(target)

    def test_a_database_with_tables_is_not_changed(self) -> None:
        self.execute("restored", "CREATE TABLE other (id integer)")
        code, report = restored(self.settings())
        self.assertEqual((code, report["reason"]), (1, "RestoreTargetNotEmpty"))
        self.assertEqual(self.execute("restored", "SHOW TABLES"), [("other",)])


if __name__ == "__main__":
    unittest.main()

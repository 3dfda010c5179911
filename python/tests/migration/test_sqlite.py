"""Tests of interrupted migrations of SQLite."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

# As the program sets them before it imports MLflow.
os.environ |= {"MLFLOW_CONFIGURE_LOGGING": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}

import mlflow.server.handlers  # noqa: F401

from migration_process import SOURCES, make_earlier, migrated, started

# Kills the program at the n-th event that changes files or databases, as a power failure does.
KILLER = """
import os, runpy, signal, sqlite3, sys
at = int(os.environ["KILL_AT"])
count = 0
def step(*_):
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)
real = sqlite3.connect
class Connection(sqlite3.Connection):
    def execute(self, *args):
        step()
        return super().execute(*args)
    def backup(self, target, *, pages=-1, progress=None, **more):
        def both(*args):
            step()
            if progress is not None:
                progress(*args)
        return super().backup(target, pages=pages, progress=both, **more)
def connect(path, *args, **more):
    step()
    return real(path, *args, **{"factory": Connection, **more})
sqlite3.connect = connect
import sqlite3.dbapi2
sqlite3.dbapi2.connect = connect
unlink = os.unlink
def unlinked(*args, **more):
    step()
    return unlink(*args, **more)
os.unlink = unlinked
sys.argv = [sys.argv[1]]
real_exit = os._exit
def counted(code):
    with open(os.environ["COUNT_TO"], "w") as file:
        file.write(str(count))
    real_exit(code)
if os.environ.get("COUNT_TO"):
    os._exit = counted
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run_killer(env: dict[str, str], output: Path) -> None:
    """Runs the program in this process, which ends with it."""
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.environ |= env
        sys.argv = ["", str(SOURCES / "migrate.py")]
        exec(KILLER, {})
    finally:
        os._exit(99)


class Sqlite(unittest.TestCase):
    folder: Path
    template: Path
    newest: str
    earlier: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp())
        cls.template = cls.folder / "template.db"
        cls.newest, cls.earlier = make_earlier(f"sqlite:///{cls.template}")

    def setUp(self) -> None:
        self.place = Path(tempfile.mkdtemp(dir=self.folder))
        self.path = self.place / "mlflow.db"
        self.uri = f"sqlite:///{self.path}"
        shutil.copy(self.template, self.path)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            self.assertEqual(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            return connection.execute(statement).fetchall()

    def revision(self) -> object:
        return self.rows("SELECT version_num FROM alembic_version")[0][0]

    def assert_migrated(self) -> None:
        self.assertEqual(self.revision(), self.newest)
        self.assertEqual(self.rows("SELECT name FROM experiments WHERE experiment_id = 7"), [("kept",)])
        self.assertEqual(sorted(each.name for each in self.place.iterdir()), ["mlflow.db", "mlflow.db.migration-lock"])

    def test_a_migration_keeps_data_and_removes_its_files(self) -> None:
        code, report, _ = migrated(self.uri)
        self.assertEqual((code, report), (0, {}))
        self.assert_migrated()

    def test_a_database_in_wal_mode_is_migrated_as_well(self) -> None:
        self.rows("PRAGMA journal_mode = WAL")
        self.assertEqual(migrated(self.uri)[0], 0)
        self.assertEqual(self.revision(), self.newest)

    def test_after_a_kill_the_schema_is_old_or_new_and_the_next_attempt_succeeds(self) -> None:
        count = self.place / "count"
        steps = self.steps(count)
        self.assertGreater(steps, 20)
        for at in sorted({1 + round(index * (steps - 1) / 7) for index in range(8)}):
            with self.subTest(at=at, of=steps):
                for each in list(self.place.iterdir()):
                    each.unlink()
                shutil.copy(self.template, self.path)
                self.assertEqual(self.killed({"KILL_AT": str(at)}), -signal.SIGKILL)
                self.assertIn(self.revision(), [self.newest, self.earlier])
                self.assertEqual(self.rows("SELECT name FROM experiments WHERE experiment_id = 7"), [("kept",)])
                self.assert_next_attempt_succeeds()
                self.assert_migrated()

    def steps(self, count: Path) -> int:
        self.assertEqual(self.killed({"KILL_AT": "-1", "COUNT_TO": str(count)}), 0)
        steps = int(count.read_text())
        count.unlink()
        return steps

    def killed(self, env: dict[str, str]) -> int:
        return self.forked(env)[0]

    def forked(self, env: dict[str, str]) -> tuple[int, str]:
        """Returns exit code and output of one run, in a fork: this process has imported MLflow, which takes seconds."""
        self.assertEqual(threading.active_count(), 1)
        output = self.folder / "output"
        more = {"TRACKING_DATABASE_URI": self.uri, "MLFLOW_DEFAULT_ARTIFACT_ROOT": "mlflow-artifacts:/"}
        child = os.fork()
        if child == 0:
            run_killer({**more, "TERMINATION_LOG": os.devnull, **env}, output)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return code, output.read_text()

    def assert_next_attempt_succeeds(self) -> None:
        code, output = self.forked({"KILL_AT": "-1"})
        self.assertEqual(code, 0, output)

    def test_the_creation_of_a_database_can_be_killed_as_well(self) -> None:
        self.path.unlink()
        steps = self.steps(self.place / "count")
        for at in (steps // 3, steps - 4):
            with self.subTest(at=at, of=steps):
                for each in list(self.place.iterdir()):
                    each.unlink()
                self.assertEqual(self.killed({"KILL_AT": str(at)}), -signal.SIGKILL)
                self.assert_next_attempt_succeeds()
                self.assertEqual(self.revision(), self.newest)

    def test_concurrent_writes_of_a_server_are_not_lost(self) -> None:
        """A server has the file open, and writes continuously."""
        done = threading.Event()
        written: list[int] = []

        def write() -> None:
            connection = sqlite3.connect(self.path, timeout=60)
            number = 100
            while not done.is_set():
                number += 1
                with contextlib.suppress(sqlite3.OperationalError), connection:
                    values = (number, f"e{number}")
                    connection.execute(
                        "INSERT INTO experiments (experiment_id, name, lifecycle_stage, workspace) VALUES (?, ?, 'active', 'default')",
                        values,
                    )
                    written.append(number)
                time.sleep(0.02)
            connection.close()

        writer = threading.Thread(target=write)
        writer.start()
        try:
            code, report, output = migrated(self.uri)
            time.sleep(0.5)
        finally:
            done.set()
            writer.join()
        self.assertEqual((code, report), (0, {}), output)
        self.assertEqual(self.revision(), self.newest)
        found = {row[0] for row in self.rows("SELECT experiment_id FROM experiments WHERE experiment_id > 100")}
        self.assertEqual(found, set(written))
        self.assertGreater(len(written), 10)

    def test_a_database_that_another_program_locks_is_reported_and_unchanged(self) -> None:
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            code, report, _ = migrated(self.uri)
        self.assertEqual((code, report["reason"]), (1, "MigrationBusy"))
        self.assertEqual(self.revision(), self.earlier)

    def test_a_full_volume_is_reported_and_nothing_is_changed(self) -> None:
        full = "import shutil, sys, runpy; shutil.disk_usage = lambda _: type('Usage', (), {'free': 1 << 20}); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
        report = self.place / "report"
        env = {**os.environ, "TRACKING_DATABASE_URI": self.uri, "TERMINATION_LOG": str(report)}
        ended = subprocess.run(
            [sys.executable, "-c", full, str(SOURCES / "migrate.py")], env=env, capture_output=True, check=False
        )
        self.assertEqual(ended.returncode, 1)
        self.assertIn('"DatabaseFull"', report.read_text())
        self.assertEqual(self.revision(), self.earlier)

    def test_the_users_database_is_migrated_in_the_same_way(self) -> None:
        users = f"sqlite:///{self.place}/basic_auth.db"
        more = {
            "AUTH_DATABASE_URI": users,
            "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
            "MLFLOW_AUTH_ADMIN_PASSWORD": "a-long-password-1",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "k",
        }
        code, report, output = migrated(self.uri, more)
        self.assertEqual((code, report), (0, {}), output)
        self.assertIn("auth: the copy is migrated", output)
        with contextlib.closing(sqlite3.connect(self.place / "basic_auth.db")) as connection:
            self.assertEqual(connection.execute("SELECT username FROM users").fetchall(), [("admin",)])

    def test_sigterm_waits_for_the_end_of_a_change(self) -> None:
        process, _ = started(self.uri)
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "locked against writers" in line:
                process.send_signal(signal.SIGTERM)
        self.assertIn(process.wait(timeout=120), (0, 143), lines)
        self.assert_migrated()


if __name__ == "__main__":
    unittest.main()

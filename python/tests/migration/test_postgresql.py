"""Tests of migrations of PostgreSQL while other sessions hold locks."""

import contextlib
import socket
import threading
import time
import unittest
from typing import Any

import postgresql_server
from migration_process import make_earlier, migrated, preflighted


class Postgresql(postgresql_server.PostgresqlCase):
    def setUp(self) -> None:
        administrator = self.connect("postgres")
        administrator.autocommit = True
        with administrator.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS mlflow WITH (FORCE)")
            cursor.execute("CREATE DATABASE mlflow")
        administrator.close()
        self.uri = f"postgresql+psycopg2://mlflow@127.0.0.1:{self.port}/mlflow"
        self.newest, self.earlier = make_earlier(self.uri)

    def revision(self) -> str:
        connection = self.connect()
        with connection.cursor() as cursor:
            cursor.execute("SELECT version_num FROM alembic_version")
            (found,) = cursor.fetchone()
        connection.close()
        return str(found)

    def test_the_checks_before_a_migration_pass_on_an_earlier_schema(self) -> None:
        code, report, output = preflighted(self.uri)
        self.assertEqual((code, report), (0, {}), output)
        self.assertIn(f"schema is at {self.earlier}, this MLflow needs {self.newest}", output)
        self.assertEqual(self.revision(), self.earlier)

    def test_tables_of_another_owner_are_reported_before_a_migration(self) -> None:
        owner = self.connect()
        with owner.cursor() as cursor:
            cursor.execute("DROP ROLE IF EXISTS limited; CREATE ROLE limited LOGIN")
            cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO limited")
        owner.commit()
        owner.close()
        code, report, output = preflighted(self.uri.replace("mlflow@", "limited@"))
        self.assertEqual((code, report.get("reason")), (1, "DatabasePermissionDenied"), output)
        self.assertRegex(report["message"], r"table \w+ belongs to mlflow")

    def test_an_old_transaction_with_locks_is_reported_before_a_migration(self) -> None:
        holder = self.connect()
        with holder.cursor() as cursor:
            cursor.execute("SELECT 1")
            self.assertEqual(preflighted(self.uri, {"PREFLIGHT_TRANSACTION_SECONDS": "0"})[0], 0, "it holds no lock")
            cursor.execute("SELECT count(*) FROM spans")
            self.assertEqual(preflighted(self.uri)[0], 0, "it is recent")
            code, report, output = preflighted(self.uri, {"PREFLIGHT_TRANSACTION_SECONDS": "0"})
        holder.close()
        self.assertEqual((code, report.get("reason")), (1, "DatabaseLocked"), output)
        self.assertRegex(report["message"], r"user mlflow, nightly report, for \d+ s.*pg_terminate_backend")

    def test_a_session_that_holds_a_lock_is_reported_and_readers_wait_only_for_seconds(self) -> None:
        holder = self.connect()
        cursor = holder.cursor()
        cursor.execute("SELECT count(*) FROM jobs; SELECT count(*) FROM spans; SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
        slowest = 0.0
        done = threading.Event()

        def read() -> None:
            nonlocal slowest
            reader = self.connect()
            reader.autocommit = True
            while not done.is_set():
                began = time.monotonic()
                with reader.cursor() as each:
                    each.execute("SELECT count(*) FROM jobs")
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.05)
            reader.close()

        readers = threading.Thread(target=read)
        readers.start()
        try:
            code, report, output = migrated(self.uri)
        finally:
            done.set()
            readers.join()
        self.assertEqual((code, report.get("reason")), (1, "DatabaseLocked"), output)
        self.assertIn(f"Sessions: {pid} (user mlflow, nightly report, idle in transaction, for ", report["message"])
        self.assertIn(f"SELECT pg_terminate_backend({pid})", report["message"])
        self.assertEqual(output.count("trying again in"), 2)
        self.assertLess(slowest, 20)
        self.assertEqual(self.revision(), self.earlier)
        holder.close()
        self.assertEqual(migrated(self.uri)[0], 0)
        self.assertEqual(self.revision(), self.newest)

    def test_the_migration_waits_for_a_session_that_ends_soon(self) -> None:
        holder = self.connect()
        holder.cursor().execute("SELECT count(*) FROM jobs")
        threading.Thread(target=self.end_when_waited_for, args=[holder, 6]).start()
        code, report, output = migrated(self.uri)
        self.assertEqual((code, report), (0, {}), output)
        self.assertEqual(output.count("trying again"), 1)
        self.assertEqual(self.revision(), self.newest)

    def test_timeouts_of_the_user_do_not_interrupt_the_migration(self) -> None:
        holder = self.connect()
        with holder.cursor() as cursor:
            cursor.execute("ALTER ROLE mlflow SET statement_timeout = '1s'")
        holder.commit()
        holder.cursor().execute("SELECT count(*) FROM jobs")
        threading.Thread(target=self.end_when_waited_for, args=[holder, 2]).start()
        try:
            code, report, output = migrated(self.uri)
            self.assertEqual((code, report), (0, {}), output)
            self.assertNotIn("trying again", output)
        finally:
            with contextlib.closing(self.connect("postgres")) as other, other, other.cursor() as cursor:
                cursor.execute("ALTER ROLE mlflow RESET ALL")

    def end_when_waited_for(self, holder: Any, seconds: float) -> None:
        """Ends a session this many seconds after another session starts to wait for its locks."""
        observer = self.connect("postgres")
        observer.autocommit = True
        with observer.cursor() as cursor:
            while True:
                cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                if cursor.fetchone() != (0,):
                    break
                time.sleep(0.05)
        observer.close()
        time.sleep(seconds)
        holder.close()

    def test_a_database_that_does_not_answer_reaches_the_deadline(self) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(1)
            uri = f"postgresql+psycopg2://mlflow@127.0.0.1:{silent.getsockname()[1]}/mlflow?connect_timeout=600"
            code, report, _ = migrated(uri, {"MIGRATION_CONNECT_SECONDS": "5"})
        self.assertEqual((code, report["reason"]), (1, "DatabaseUnreachable"))
        self.assertIn("timeout after 5 s", report["message"])


if __name__ == "__main__":
    unittest.main()

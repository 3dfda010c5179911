"""Tests of restoring PostgreSQL with the installed MLflow."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import Any

import psycopg2

import postgresql_server
from migration_process import make_earlier
from postgresql_server import PROGRAMS
from restore_process import restored
from test_backup import KEY, backed_up


class Postgresql(postgresql_server.PostgresqlCase):
    backups: Path

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.execute("postgres", "CREATE DATABASE mlflow")
        uri = f"postgresql+psycopg2://mlflow@127.0.0.1:{cls.port}/mlflow"
        make_earlier(uri, 0)
        # Characters with a meaning in the format of COPY and in SQL.
        cls.execute(
            "mlflow",
            "UPDATE experiments SET name = E'tab\\t back\\\\. line\\nCOPY x FROM stdin;\\n\\\\.\\n 模型 100%s'",
        )
        cls.backups = Path(tempfile.mkdtemp())
        code, _, output = backed_up(uri, cls.backups, {"PATH": f"{PROGRAMS}:{os.environ['PATH']}"})
        assert code == 0, output

    @classmethod
    def tearDownClass(cls) -> None:
        super().tearDownClass()
        shutil.rmtree(cls.backups)

    @classmethod
    def execute(cls, database: str, *statements: str) -> None:
        connection = psycopg2.connect(host="127.0.0.1", port=cls.port, user="mlflow", dbname=database)
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)
        connection.close()

    def setUp(self) -> None:
        self.execute("postgres", "DROP DATABASE IF EXISTS restored WITH (FORCE)", "CREATE DATABASE restored")

    def restored(self, name: str = "restored", **more: str) -> tuple[int, dict[str, Any]]:
        settings = {
            "TRACKING_DATABASE_URI": f"postgresql+psycopg2://mlflow@127.0.0.1:{self.port}/{name}",
            "BACKUP_DESTINATION": str(self.backups),
            "BACKUP_DIRECTORY": "team/tracking/first",
            "BACKUP_ARTIFACTS": "s3://artifacts",
            "BACKUP_KEK_PASSPHRASE": KEY,
            "BACKUP_WEBHOOK_KEY": KEY,
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            **more,
        }
        return restored(settings)

    def rows(self, statement: str, database: str = "restored") -> list[Any]:
        connection = self.connect(database)
        cursor = connection.cursor()
        cursor.execute(statement)
        found: list[Any] = cursor.fetchall()
        connection.close()
        return found

    def test_a_dump_is_restored_once_with_every_character(self) -> None:
        code, report = self.restored()
        self.assertEqual(code, 0, report)
        self.assertEqual(report["experiments"], 1)
        every = "SELECT * FROM experiments"
        self.assertEqual(self.rows(every), self.rows(every, "mlflow"))
        tables = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'S', 'i') AND relname <> 'mlflow_restore_record' AND relnamespace = 'public'::regnamespace ORDER BY 1"
        self.assertEqual(self.rows(tables), self.rows(tables, "mlflow"))
        constraints = "SELECT conname, contype, conrelid::regclass::text FROM pg_constraint ORDER BY 1, 3"
        self.assertEqual(self.rows(constraints), self.rows(constraints, "mlflow"))
        self.execute("restored", "UPDATE experiments SET name = 'of the server'")
        self.assertEqual(self.restored(), (0, report))
        self.assertEqual(self.rows("SELECT name FROM experiments"), [("of the server",)])

    def test_a_database_with_tables_is_not_changed(self) -> None:
        self.execute("restored", "CREATE TABLE other (id integer)")
        code, report = self.restored()
        self.assertEqual((code, report["reason"]), (1, "RestoreTargetNotEmpty"))
        self.assertIn('"restored"', report["message"])
        self.assertEqual(
            self.rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"),
            [("other",)],
        )

    def test_a_failure_leaves_an_empty_database(self) -> None:
        # A type with the name of a table is no table, so the database counts as empty.
        self.execute("restored", "CREATE DOMAIN runs AS integer")
        with self.assertRaises(psycopg2.Error):
            self.restored()
        self.assertEqual(
            self.rows("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"), []
        )
        self.execute("restored", "DROP DOMAIN runs")
        self.assertEqual(self.restored()[0], 0)

    def test_another_schema_is_refused(self) -> None:
        self.execute("restored", "CREATE SCHEMA team", "ALTER DATABASE restored SET search_path = team")
        code, report = self.restored()
        self.assertEqual((code, report["reason"]), (1, "RestoreTargetMismatch"))
        self.assertIn("schema public", report["message"])

    def test_a_user_without_privileges_has_a_reason(self) -> None:
        self.execute(
            "restored",
            "DROP ROLE IF EXISTS reader",
            "CREATE ROLE reader LOGIN",
            "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        )
        uri = f"postgresql+psycopg2://reader@127.0.0.1:{self.port}/restored"
        code, report = self.restored(TRACKING_DATABASE_URI=uri)
        self.assertEqual(code, 1)
        self.assertIn(report["reason"], ("DatabasePermissionDenied", "DatabaseNotFound"))


if __name__ == "__main__":
    unittest.main()

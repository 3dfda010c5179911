"""Tests of backups of PostgreSQL with the installed MLflow."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import postgresql_server
from migration_process import make_earlier
from postgresql_server import PROGRAMS
from test_backup import backed_up, checked


class Postgresql(postgresql_server.PostgresqlCase):
    def setUp(self) -> None:
        self.execute("postgres", "DROP DATABASE IF EXISTS mlflow WITH (FORCE)", "CREATE DATABASE mlflow")
        self.execute("postgres", "ALTER USER mlflow PASSWORD 'p@:/%#?&'''")
        self.target = Path(tempfile.mkdtemp())
        self.folder_of_backup = self.target / "team" / "tracking" / "first"
        self.parts = {
            "TRACKING_DATABASE_URI": "",
            "TRACKING_DATABASE_DRIVER": "postgresql+psycopg2",
            "TRACKING_DATABASE_HOST": "127.0.0.1",
            "TRACKING_DATABASE_PORT": str(self.port),
            "TRACKING_DATABASE_NAME": "mlflow",
            "TRACKING_DATABASE_USERNAME": "mlflow",
            "TRACKING_DATABASE_PASSWORD": "p@:/%#?&'",
            "TRACKING_DATABASE_QUERY": "sslmode=prefer",
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        }
        make_earlier(f"postgresql+psycopg2://mlflow@127.0.0.1:{self.port}/mlflow", 0)

    def execute(self, database: str, *statements: str) -> None:
        connection = self.connect(database)
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)
        connection.close()

    def test_a_dump_restores_into_an_empty_database_without_tables_of_other_schemas(self) -> None:
        self.execute("mlflow", 'CREATE SCHEMA "Others"', 'CREATE TABLE "Others".unrelated (id integer)')
        code, _, output = backed_up("", self.target, self.parts)
        self.assertEqual(code, 0, output)
        manifest = checked(self.folder_of_backup)
        self.assertEqual([each["engine"] for each in manifest["databases"]], ["postgresql"])
        self.execute("postgres", "DROP DATABASE IF EXISTS restored", "CREATE DATABASE restored")
        restoration = [
            str(PROGRAMS / "pg_restore"),
            *("--no-owner", "--single-transaction", "--exit-on-error", "-h", "127.0.0.1", "-p", str(self.port)),
            *("-U", "mlflow", "-d", "restored", str(self.folder_of_backup / "tracking.pgdump")),
        ]
        subprocess.run(restoration, check=True)
        connection = self.connect("restored")
        cursor = connection.cursor()
        cursor.execute("SELECT name FROM experiments WHERE experiment_id = 7")
        self.assertEqual(cursor.fetchall(), [("kept",)])
        cursor.execute("SELECT count(*) FROM pg_catalog.pg_class WHERE relname = 'unrelated'")
        self.assertEqual(cursor.fetchall(), [(0,)])
        connection.close()
        # A database with content is not changed.
        self.assertNotEqual(subprocess.run(restoration, check=False, capture_output=True).returncode, 0)


if __name__ == "__main__":
    unittest.main()

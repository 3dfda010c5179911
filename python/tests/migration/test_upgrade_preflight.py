"""Tests of the checks before a change of the version, on databases with an earlier schema, in the installed MLflow."""

import os
import sqlite3
import tempfile
import unittest
from pathlib import Path

import mlflow

from migration_process import make_earlier, preflighted


def preflight(uri: str | None, **more: str) -> tuple[int, dict[str, str], str]:
    return preflighted(uri, {"PREFLIGHT_VERSION": mlflow.__version__, **more})


class Image(unittest.TestCase):
    def test_an_image_of_the_version_passes_without_a_database(self) -> None:
        code, report, output = preflight(None, MIGRATION_PACKAGES="mlflow,sqlalchemy")
        self.assertEqual((code, report), (0, {}), output)
        self.assertIn("the databases are not checked", output)

    def test_another_version_and_missing_packages_are_reported(self) -> None:
        code, report, _ = preflight(None, PREFLIGHT_VERSION="3.0.0")
        self.assertEqual((code, report["reason"]), (1, "UnsupportedImage"))
        self.assertIn(f"contains MLflow {mlflow.__version__}, and spec.version is 3.0.0", report["message"])
        code, report, _ = preflight(None, MIGRATION_PACKAGES="missing_plugin")
        self.assertEqual((code, report["reason"]), (1, "UnsupportedImage"))
        self.assertIn("missing_plugin", report["message"])

    def test_a_plugin_that_cannot_be_imported_is_reported_without_its_text(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "broken_plugin.py").write_text("raise ValueError('hunter2')\n")
            code, report, output = preflight(None, MIGRATION_PACKAGES="broken_plugin", PYTHONPATH=folder)
        self.assertEqual((code, report["reason"]), (1, "UnsupportedImage"))
        self.assertIn("broken_plugin (ValueError)", report["message"])
        self.assertNotIn("hunter2", output + report["message"])


class Sqlite(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "mlflow.db")
        self.uri = f"sqlite:///{self.path}"

    def test_an_earlier_schema_passes_and_nothing_is_changed(self) -> None:
        newest, earlier = make_earlier(self.uri)
        before = self.path.read_bytes()
        code, report, output = preflight(self.uri)
        self.assertEqual((code, report), (0, {}), output)
        self.assertIn(f"schema is at {earlier}, this MLflow needs {newest}", output)
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(sorted(os.listdir(self.path.parent)), [self.path.name])

    def test_a_database_that_does_not_exist_yet_is_not_created(self) -> None:
        self.assertEqual(preflight(self.uri)[0], 0)
        self.assertEqual(os.listdir(self.path.parent), [])

    def test_a_newer_schema_is_reported(self) -> None:
        make_earlier(self.uri)
        with sqlite3.connect(self.path) as database:
            database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        code, report, _ = preflight(self.uri)
        self.assertEqual((code, report["reason"]), (1, "DatabaseTooNew"))

    def test_an_earlier_schema_must_be_migrated_by_hand_if_the_operator_only_checks(self) -> None:
        make_earlier(self.uri)
        code, report, _ = preflight(self.uri, MIGRATION_MODE="check")
        self.assertEqual((code, report["reason"]), (1, "ManualMigrationNeeded"))

    def test_a_volume_without_space_for_the_copy_is_reported(self) -> None:
        make_earlier(self.uri)
        hook = "import shutil, collections\nU = collections.namedtuple('U', 'free')\nshutil.disk_usage = lambda path: U(1 << 20)\n"
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "sitecustomize.py").write_text(hook)
            code, report, _ = preflight(self.uri, PYTHONPATH=folder)
        self.assertEqual((code, report["reason"]), (1, "DatabaseFull"))


if __name__ == "__main__":
    unittest.main()

"""Tests of restoring SQLite and artifacts with the installed MLflow: what is restored, refused and completed after an interruption."""

import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from backup_files import write_backup
from migration_process import make_earlier
from mlflow_outcome import Failure
from restore_artifacts import ArtifactTarget
from restore_process import restored, run
from test_backup import KEY, backed_up

OTHER_KEY = "another-key-that-is-not-shown"


def archive(*members: tuple[str, bytes | None, dict[str, Any]]) -> bytes:
    """Returns a tar archive with these members: name, content and further attributes."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as writer:
        for name, content, more in members:
            member = tarfile.TarInfo(name)
            for key, value in more.items():
                setattr(member, key, value)
            member.size = len(content or b"")
            writer.addfile(member, io.BytesIO(content or b""))
    return made.getvalue()


class Sqlite(unittest.TestCase):
    folder: Path
    backups: Path

    @classmethod
    def setUpClass(cls) -> None:
        """Writes one backup with an experiment, a credential of a provider, a user and an artifact."""
        cls.folder = Path(tempfile.mkdtemp())
        cls.backups = cls.folder / "backups"
        cls.backups.mkdir()
        uri = f"sqlite:///{cls.folder}/mlflow.db"
        make_earlier(uri, 0)
        add_credential(cls.folder / "mlflow.db", KEY)
        with sqlite3.connect(cls.folder / "basic_auth.db") as users:
            users.execute("CREATE TABLE users (username TEXT)")
            users.execute("INSERT INTO users VALUES ('ada')")
        artifacts = cls.folder / "artifacts"
        (artifacts / "1" / "a").mkdir(parents=True)
        (artifacts / "1" / "a" / "note.txt").write_text("kept")
        more = {"BACKUP_ARTIFACTS": str(artifacts), "AUTH_DATABASE_URI": f"sqlite:///{cls.folder}/basic_auth.db"}
        code, _, output = backed_up(uri, cls.backups, more)
        assert code == 0, output

    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(cls.folder)

    def setUp(self) -> None:
        self.data = Path(tempfile.mkdtemp())
        self.settings = {
            "TRACKING_DATABASE_URI": f"sqlite:///{self.data}/mlflow.db",
            "AUTH_DATABASE_URI": f"sqlite:///{self.data}/basic_auth.db",
            "BACKUP_DESTINATION": str(self.backups),
            "BACKUP_DIRECTORY": "team/tracking/first",
            "BACKUP_ARTIFACTS": str(self.data / "artifacts"),
            "BACKUP_KEK_PASSPHRASE": KEY,
            "BACKUP_WEBHOOK_KEY": KEY,
        }

    def restored(self, **more: str) -> tuple[int, dict[str, Any]]:
        code, report = restored({**self.settings, **more})
        for key in (KEY, OTHER_KEY):
            self.assertNotIn(key, str(report))
        return code, report

    def refused(self, reason: str, **more: str) -> str:
        code, report = self.restored(**more)
        self.assertEqual((code, report.get("reason")), (1, reason), report)
        return str(report["message"])

    def has_content(self, name: str) -> bool:
        """Whether a file has content: a connection creates an empty one."""
        path = self.data / name
        return path.exists() and path.stat().st_size > 0

    def assert_untouched(self) -> None:
        names = [each.name for each in self.data.iterdir()]
        self.assertEqual([name for name in names if (self.data / name).is_dir() or self.has_content(name)], [])

    def test_everything_is_restored_once(self) -> None:
        code, report, output = run(self.settings)
        self.assertEqual(code, 0, output)
        self.assertNotIn(KEY, output)
        numbers = {key: value for key, value in report.items() if isinstance(value, int)}
        self.assertEqual(
            numbers,
            {
                "experiments": 1,
                "runs": 0,
                "registeredModels": 0,
                "users": 1,
                "credentials": 1,
                "unreadableCredentials": 0,
            },
        )
        self.assertEqual((self.data / "artifacts" / "1" / "a" / "note.txt").read_text(), "kept")
        with sqlite3.connect(self.data / "mlflow.db") as database:
            self.assertEqual(database.execute("SELECT name FROM experiments").fetchall(), [("kept",)])
            database.execute("UPDATE experiments SET name = 'of the server'")
        # Without the status of the MlflowServer it runs again, and changes nothing.
        (self.data / "artifacts" / "new").touch()
        self.assertEqual(self.restored(), (0, report))
        with sqlite3.connect(self.data / "mlflow.db") as database:
            self.assertEqual(database.execute("SELECT name FROM experiments").fetchall(), [("of the server",)])

    def test_content_of_others_is_not_changed(self) -> None:
        (self.data / "artifacts").mkdir()
        (self.data / "artifacts" / "other").touch()
        self.assertIn("/artifacts", self.refused("RestoreTargetNotEmpty"))
        self.assertFalse(self.has_content("mlflow.db"))
        shutil.rmtree(self.data / "artifacts")
        with sqlite3.connect(self.data / "basic_auth.db") as users:
            users.execute("CREATE TABLE users (username TEXT)")
        self.assertIn("basic_auth.db", self.refused("RestoreTargetNotEmpty"))
        self.assertFalse(self.has_content("mlflow.db"))
        self.assertFalse((self.data / "artifacts").exists())

    def test_an_interrupted_restore_is_completed(self) -> None:
        # What a killed run leaves: an unpacked part, and a part of a database.
        (self.data / "artifacts.restoring" / "1").mkdir(parents=True)
        (self.data / "artifacts.restoring" / "1" / "half").touch()
        (self.data / "mlflow.db.restoring").write_bytes(b"half")
        (self.data / "artifacts").mkdir()
        self.assertEqual(self.restored()[0], 0, "an interrupted restore is repeated")
        self.assertFalse((self.data / "artifacts" / "1" / "half").exists())
        self.assertFalse((self.data / "mlflow.db.restoring").exists())
        # Killed after the record and before the artifacts had their name.
        (self.data / "artifacts").rename(self.data / "artifacts.restoring")
        (self.data / "mlflow.db").unlink()
        self.assertEqual(self.restored()[0], 0)
        self.assertEqual((self.data / "artifacts" / "1" / "a" / "note.txt").read_text(), "kept")
        self.assertTrue((self.data / "mlflow.db").exists())

    def test_other_keys_are_refused_unless_they_are_accepted(self) -> None:
        message = self.refused("RestoreKeysMismatch", BACKUP_KEK_PASSPHRASE=OTHER_KEY)
        self.assertIn("kek-passphrase of the server", message)
        self.assertNotIn("webhook-key", message)
        self.assert_untouched()
        code, report = self.restored(BACKUP_KEK_PASSPHRASE=OTHER_KEY, RESTORE_ACCEPT="NewKeys")
        self.assertEqual((code, report["credentials"], report["unreadableCredentials"]), (0, 1, 1))

    def test_a_damaged_file_is_found_before_anything_is_written(self) -> None:
        copies = Path(tempfile.mkdtemp())
        folder = copies / "team" / "tracking" / "first"
        shutil.copytree(self.backups / "team" / "tracking" / "first", folder)
        with open(folder / "users.sqlite", "r+b") as file:
            file.seek(100)
            file.write(b"x")
        self.assertIn("users.sqlite", self.refused("BackupDamaged", BACKUP_DESTINATION=str(copies)))
        self.assert_untouched()

    def test_servers_that_do_not_fit_are_refused(self) -> None:
        for reason, text, more in (
            ("RestoreArtifactsMismatch", "in a bucket", {"BACKUP_ARTIFACTS": "s3://artifacts"}),
            ("RestoreTargetMismatch", "which the server would not have", {"AUTH_DATABASE_URI": ""}),
            (
                "RestoreTargetMismatch",
                "in a database of their own",
                {"AUTH_DATABASE_URI": self.settings["TRACKING_DATABASE_URI"]},
            ),
            ("RestoreTargetMismatch", "spec.authentication is oidc", {"AUTH_APPLICATION": "oidc-auth"}),
            ("BackupManifestNotFound", "no manifest.json", {"BACKUP_DIRECTORY": "team/tracking"}),
        ):
            with self.subTest(text):
                self.assertIn(text, self.refused(reason, **more))
                self.assert_untouched()
        accepted = {"BACKUP_ARTIFACTS": "s3://artifacts", "RESTORE_ACCEPT": "NewKeys,MissingArtifacts"}
        self.assertEqual(self.restored(**accepted)[0], 0)

    def test_a_backup_of_a_newer_version_or_another_database_is_refused(self) -> None:
        made = Path(tempfile.mkdtemp())
        more = {"BACKUP_DESTINATION": str(made), "BACKUP_ARTIFACTS": "s3://artifacts", "AUTH_DATABASE_URI": ""}
        write_backup(made / "newer", {"tracking.sqlite": b""}, mlflowVersion="99.1.0")
        self.assertIn("99.1.0", self.refused("BackupTooNew", **more, BACKUP_DIRECTORY="newer"))
        write_backup(made / "of-postgresql", {"tracking.pgdump": b""})
        message = self.refused("RestoreTargetMismatch", **more, BACKUP_DIRECTORY="of-postgresql")
        self.assertIn("PostgreSQL dump of the tracking schema", message)
        self.assert_untouched()


def add_credential(database: Path, passphrase: str) -> None:
    """Stores a credential of a provider as MLflow does."""
    from mlflow.utils.crypto import KEKManager, _encrypt_secret

    made = _encrypt_secret({"api_key": "of-the-provider"}, KEKManager(passphrase), "1", "provider")
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO secrets (secret_id, secret_name, encrypted_value, wrapped_dek, kek_version, masked_value, created_at,"
            " last_updated_at, workspace) VALUES ('1', 'provider', ?, ?, ?, '{}', 1, 1, 'default')",
            (made.encrypted_value, made.wrapped_dek, made.kek_version),
        )


class Artifacts(unittest.TestCase):
    def setUp(self) -> None:
        self.data = Path(tempfile.mkdtemp())
        self.target = ArtifactTarget(self.data / "artifacts", "a" * 64)

    def test_an_archive_with_anything_but_files_below_the_target_is_refused(self) -> None:
        link = {"type": tarfile.SYMTYPE, "linkname": "/etc"}
        cases: dict[str, list[tuple[str, bytes | None, dict[str, Any]]]] = {
            "parent directory": [("../outside", b"x", {})],
            "absolute path of a parent": [("a/../../outside", b"x", {})],
            "symbolic link": [("link", None, link), ("link/passwd", b"x", {})],
            "hard link": [("link", None, {"type": tarfile.LNKTYPE, "linkname": "../outside"})],
            "device": [("null", None, {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})],
            "fifo": [("fifo", None, {"type": tarfile.FIFOTYPE})],
        }
        for title, members in cases.items():
            with self.subTest(title), self.assertRaises(Failure) as raised:
                self.target.restore(iter([archive(("fine", b"x", {}), *members)]))
            self.assertEqual(raised.exception.reason, "BackupDamaged")
            self.assertEqual(list(self.data.iterdir()), [])

    def test_absolute_paths_become_relative_and_modes_are_safe(self) -> None:
        self.target.restore(iter([archive(("/etc/note", b"x", {"mode": 0o4777, "uid": 0}))]))
        made = self.data / "artifacts" / "etc" / "note"
        self.assertEqual((made.read_bytes(), made.stat().st_mode & 0o7022), (b"x", 0))

    def test_what_is_no_archive_is_refused(self) -> None:
        with self.assertRaises(Failure) as raised:
            self.target.restore(iter([os.urandom(2048)]))
        self.assertEqual(raised.exception.reason, "BackupDamaged")

    def test_a_full_volume_has_a_reason_and_nothing_remains(self) -> None:
        def full(*_: Any, **__: Any) -> None:
            raise OSError(28, "the text is not shown")

        with mock.patch("tarfile.TarFile.extract", full), self.assertRaises(Failure) as raised:
            self.target.restore(iter([archive(("fine", b"x", {}))]))
        self.assertEqual(raised.exception.reason, "RestoreVolumeFull")
        self.assertNotIn("the text", raised.exception.message)
        self.assertEqual(list(self.data.iterdir()), [])

    def test_the_record_names_the_backup(self) -> None:
        self.target.restore(iter([archive(("fine", b"x", {}))]))
        self.assertTrue(self.target.is_restored())
        self.assertFalse(ArtifactTarget(self.data / "artifacts", "b" * 64).is_restored())
        record = json.loads((self.data / ".mlflow-operator-restore").read_text())
        self.assertEqual(record, {"backup": "a" * 64})


if __name__ == "__main__":
    unittest.main()

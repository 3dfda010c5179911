"""Tests of reading a backup, which can come from elsewhere: damaged files, and manifests that are none."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backup_files import manifest_of, write_backup
from backup_reader import VolumeSource, parsed
from mlflow_outcome import Failure

PROGRAM = Path(__file__).parents[2] / "src" / "verify_backup.py"
CONTENTS = {"tracking.sqlite": b"a" * (3 << 20), "artifacts.tar": b""}


def verified(folder: Path, more: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Returns exit code and report of one run of the program."""
    report = Path(tempfile.mkstemp()[1])
    env = {
        **os.environ,
        "BACKUP_DESTINATION": str(folder.parent),
        "BACKUP_DIRECTORY": folder.name,
        "TERMINATION_LOG": str(report),
        **(more or {}),
    }
    done = subprocess.run([sys.executable, str(PROGRAM)], env=env, capture_output=True, timeout=60)
    return done.returncode, json.loads(report.read_text())


class Volume(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(), "first")

    def test_a_complete_backup_has_the_result_of_its_manifest(self) -> None:
        write_backup(self.folder, CONTENTS)
        code, report = verified(self.folder)
        self.assertEqual(code, 0, report)
        self.assertEqual((report["size"], report["mlflowVersion"]), (3 << 20, "3.17.2"))
        self.assertEqual((report["schemaRevision"], report["location"]), ("abc123", str(self.folder)))

    def test_a_folder_without_a_manifest_is_no_backup(self) -> None:
        self.assertEqual(verified(self.folder)[1]["reason"], "BackupManifestNotFound")
        self.folder.mkdir()
        self.assertEqual(verified(self.folder)[1]["reason"], "BackupManifestNotFound")

    def test_a_damaged_file_has_a_reason_and_is_named(self) -> None:
        path = write_backup(self.folder, CONTENTS) / "tracking.sqlite"
        content = path.read_bytes()
        for changed, text in (
            (content[:-1], "instead of 3145728"),
            (content + b"a", "more than"),
            (b"b" + content[1:], "another SHA-256"),
            (None, "is missing"),
        ):
            with self.subTest(text):
                path.unlink()
                if changed is not None:
                    path.write_bytes(changed)
                code, report = verified(self.folder)
                self.assertEqual((code, report["reason"]), (1, "BackupDamaged"))
                self.assertIn("tracking.sqlite", report["message"])
                self.assertIn(text, report["message"])
                path.touch()

    def test_the_end_of_a_damaged_file_is_not_passed_on(self) -> None:
        write_backup(self.folder, CONTENTS)
        place = VolumeSource(str(self.folder.parent), "first")
        (file, _) = place.manifest().files
        (self.folder / "tracking.sqlite").write_bytes(b"b" * (3 << 20))
        passed = 0
        with self.assertRaises(Failure):
            for chunk in place.verified(file):
                passed += len(chunk)
        self.assertEqual(passed, 2 << 20)

    def test_a_symbolic_link_is_not_followed(self) -> None:
        path = write_backup(self.folder, CONTENTS) / "tracking.sqlite"
        path.rename(self.folder.parent / "elsewhere")
        path.symlink_to(self.folder.parent / "elsewhere")
        self.assertEqual(verified(self.folder)[1]["reason"], "BackupUnreadable")


class ManifestContent(unittest.TestCase):
    def test_what_is_not_a_manifest_is_damaged(self) -> None:
        valid = manifest_of(CONTENTS)
        self.assertEqual(parsed(json.dumps(valid).encode()).revision, "abc123")
        file = valid["files"][0]
        database = valid["databases"][0]
        keys = valid["encryptionKeys"]
        wrong: list[Any] = [
            [],
            {**valid, "format": 2},
            {**valid, "files": [{**file, "name": "../tracking.sqlite"}]},
            {**valid, "files": [{**file, "name": "/etc/passwd"}]},
            {**valid, "files": [{**file, "size": -1}]},
            {**valid, "files": [{**file, "size": True}]},
            {**valid, "files": [{**file, "sha256": "abc"}]},
            {**valid, "databases": [{**database, "file": "users.sqlite"}]},
            {**valid, "databases": [{**database, "engine": "oracle"}]},
            {**valid, "databases": [{**database, "application": "auth"}]},
            {**valid, "artifacts": {"location": "s3://b", "file": "other.tar"}},
            {**valid, "artifacts": {"location": "line\nbreak"}},
            {**valid, "mlflowVersion": "$(reboot)"},
            {**valid, "encryptionKeys": {**keys, "salt": "xy"}},
        ]
        for content in [*(json.dumps(each).encode() for each in wrong), b"", b"\xff", b"{"]:
            with self.subTest(content[-80:]), self.assertRaises((KeyError, TypeError, ValueError)):
                parsed(content)

    def test_a_manifest_that_is_too_large_is_damaged(self) -> None:
        folder = Path(tempfile.mkdtemp(), "first")
        folder.mkdir()
        (folder / "manifest.json").write_bytes(b" " * (2 << 20))
        with self.assertRaises(Failure) as raised:
            VolumeSource(str(folder.parent), "first").manifest()
        self.assertEqual(raised.exception.reason, "BackupDamaged")


if __name__ == "__main__":
    unittest.main()

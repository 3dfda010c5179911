"""Tests of the deletion of older backups on a volume: what is deleted, and what never is."""

import json
import os
import tempfile
import unittest
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from backup_retention import BucketFolders, Schedule, VolumeFolders, delete_older, retention

UID = "6f1c"


def name_of(day: int, schedule: str = "nightly") -> str:
    return f"{schedule}-202601{day:02}020000-202601{day:02}T020003Z-{day:010x}"


def manifest(folder: str, files: dict[str, bytes], changes: dict[str, Any] | None = None) -> bytes:
    return json.dumps(
        {
            "backup": folder.rpartition("-")[0],
            "schedule": "nightly",
            "server": {"name": "tracking", "namespace": "ml", "uid": UID},
            "files": [{"name": name, "size": len(content)} for name, content in files.items()],
            **(changes or {}),
        }
    ).encode()


class Volume(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.parent = self.root / "production" / "ml" / "tracking"
        self.parent.mkdir(parents=True)

    def write(self, day: int, schedule: str = "nightly", **more: Any) -> Path:
        folder = self.parent / name_of(day, schedule)
        folder.mkdir()
        files = {"tracking.pgdump": b"dump", "artifacts.tar": b"artifacts"}
        for name, content in files.items():
            (folder / name).write_bytes(content)
        (folder / "manifest.json").write_bytes(manifest(folder.name, files, more))
        return folder

    def delete(self, newest: int = 20, keep: int | None = 2, older_than: timedelta | None = None) -> dict[str, Any]:
        directory = f"production/ml/tracking/{name_of(newest)}"
        env = {
            "BACKUP_SCHEDULE": "nightly",
            "BACKUP_SERVER_UID": UID,
            "BACKUP_KEEP": "" if keep is None else str(keep),
            "BACKUP_OLDER_THAN_SECONDS": "" if older_than is None else str(int(older_than.total_seconds())),
            "BACKUP_DIRECTORY": directory,
        }
        with mock.patch.dict(os.environ, env):
            result = retention(lambda: VolumeFolders(str(self.root), directory))
        assert result is not None
        return result

    def left(self) -> list[str]:
        return sorted(each.name for each in self.parent.iterdir())

    def test_keeps_the_newest_and_the_new_one(self) -> None:
        for day in (16, 17, 18, 19, 20):
            self.write(day)
        self.assertEqual(self.delete(), {"deleted": 3})
        self.assertEqual(self.left(), [name_of(19), name_of(20)])
        self.assertEqual(self.delete(), {"deleted": 0})

    def test_deletes_those_that_are_older_than_the_age_and_never_the_new_one(self) -> None:
        for day in (16, 17, 18, 19, 20):
            self.write(day)
        # To the second: the backup of day 18 is not older than two days.
        self.assertEqual(self.delete(keep=None, older_than=timedelta(days=2)), {"deleted": 2})
        self.assertEqual(self.left(), [name_of(18), name_of(19), name_of(20)])
        self.assertEqual(self.delete(keep=None, older_than=timedelta(days=2, seconds=-1)), {"deleted": 1})
        self.assertEqual(self.delete(keep=None, older_than=timedelta(seconds=1)), {"deleted": 1})
        self.assertEqual(self.left(), [name_of(20)])
        self.assertEqual(self.delete(keep=None, older_than=timedelta(seconds=1)), {"deleted": 0})

    def test_deletes_with_a_number_and_an_age_what_neither_keeps(self) -> None:
        days = (14, 15, 16, 17, 18, 19, 20)
        for day in days:
            self.write(day)
        self.assertEqual(self.delete(keep=2, older_than=timedelta(days=4)), {"deleted": 2})
        self.assertEqual(self.left(), [name_of(day) for day in days[2:]])
        self.assertEqual(self.delete(keep=4, older_than=timedelta(days=1)), {"deleted": 1})
        self.assertEqual(self.left(), [name_of(day) for day in days[3:]])

    def test_keeps_what_has_no_valid_time_and_what_is_newer_than_the_new_one(self) -> None:
        self.write(20)
        self.write(21)
        invalid = self.parent / "nightly-20269999020000-20269999T020003Z-0123456789"
        self.write(10).rename(invalid)
        before = self.left()
        self.assertEqual(self.delete(keep=None, older_than=timedelta(seconds=1)), {"deleted": 0})
        self.assertEqual(self.left(), before)

    def test_never_deletes_the_new_one_although_others_have_later_names(self) -> None:
        for day in (20, 21, 22):
            self.write(day)
        self.assertEqual(self.delete(newest=20, keep=1), {"deleted": 1})
        self.assertEqual(self.left(), [name_of(20), name_of(22)])

    def test_deletes_nothing_that_is_not_of_this_schedule_and_server(self) -> None:
        self.write(20)
        wrong: list[dict[str, Any]] = [
            {"schedule": "weekly"},
            {"server": {"uid": "other"}},
            {"server": {}},
            {"server": {"uid": ""}},
            {"backup": "another-name"},
            {"files": [{"name": "../../other", "size": 1}]},
            {"files": [{"name": "manifest.json", "size": 1}]},
            {"files": "text"},
        ]
        for day, more in enumerate(wrong, start=1):
            self.write(day, **more)
        self.write(10, "nightly-other")
        without = self.write(11)
        (without / "manifest.json").unlink()
        on_demand = self.parent / "before-upgrade-20260101T020003Z-0123456789"
        self.write(12).rename(on_demand)
        partial = self.parent / f"{name_of(13)}.partial"
        self.write(13).rename(partial)
        before = self.left()
        self.assertEqual(self.delete(keep=1), {"deleted": 0})
        self.assertEqual(self.left(), before)

    def test_deletes_only_the_files_of_the_manifest(self) -> None:
        self.write(20)
        older = self.write(19)
        (older / "notes.txt").write_text("of a user")
        (older / "folder").mkdir()
        result = self.delete(keep=1)
        self.assertEqual(result["reason"], "RetentionFailed")
        self.assertIn("ENOTEMPTY", result["message"])
        self.assertEqual(sorted(each.name for each in older.iterdir()), ["folder", "notes.txt"])

    def test_continues_after_an_interruption(self) -> None:
        self.write(20)
        for day in (17, 18):
            older = self.write(day)
            (older / "manifest.json").rename(older / "removed.json")
        (self.parent / name_of(18) / "tracking.pgdump").unlink()
        self.assertEqual(self.delete(keep=5), {"deleted": 2})
        self.assertEqual(self.left(), [name_of(20)])

    def test_deletes_nothing_if_the_new_backup_is_not_complete(self) -> None:
        self.write(19)
        new = self.write(20)
        (new / "artifacts.tar").write_bytes(b"shorter")
        self.assertEqual(self.delete(keep=1)["reason"], "RetentionFailed")
        (new / "manifest.json").unlink()
        self.assertEqual(self.delete(keep=1)["reason"], "RetentionFailed")
        self.assertEqual(self.left(), [name_of(19), name_of(20)])

    def test_follows_no_symbolic_links(self) -> None:
        other = Path(tempfile.mkdtemp())
        (other / "tracking.pgdump").write_bytes(b"dump")
        (other / "artifacts.tar").write_bytes(b"artifacts")
        self.write(20)
        # A folder, a manifest and a file that lead out of the volume.
        (other / "manifest.json").write_bytes(manifest(name_of(17), {"tracking.pgdump": b"dump"}))
        (self.parent / name_of(17)).symlink_to(other)
        linked = self.write(18)
        (linked / "manifest.json").unlink()
        (linked / "manifest.json").symlink_to(other / "manifest.json")
        file = self.write(19)
        (file / "tracking.pgdump").unlink()
        (file / "tracking.pgdump").symlink_to(other / "tracking.pgdump")
        self.assertEqual(self.delete(keep=1), {"deleted": 1})
        self.assertEqual(self.left(), [name_of(17), name_of(18), name_of(20)])
        self.assertEqual(len(list(other.iterdir())), 3)
        # A parent directory.
        moved = self.root / "moved"
        (self.root / "production" / "ml").rename(moved)
        (self.root / "production" / "ml").symlink_to(moved)
        result = self.delete(keep=1)
        self.assertEqual(result["reason"], "RetentionFailed")
        self.assertIn("a symbolic link", result["message"])

    def test_is_not_applied_without_a_number(self) -> None:
        with mock.patch.dict(os.environ, {"BACKUP_KEEP": ""}):
            self.assertIsNone(retention(lambda: self.fail("not opened")))


class Client:
    """A bucket in memory, with the calls that the program makes."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.allowed = 1000

    def _called(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) > self.allowed:
            raise InterruptedError

    def get_paginator(self, _: str) -> "Client":
        return self

    def paginate(self, Bucket: str, Prefix: str, Delimiter: str) -> list[dict[str, Any]]:  # noqa: N803
        found = {key.removeprefix(Prefix).split("/")[0] for key in self.objects if key.startswith(Prefix)}
        return [{"CommonPrefixes": [{"Prefix": f"{Prefix}{each}{Delimiter}"}]} for each in sorted(found)]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": open_bytes(self.objects[Key])} if Key in self.objects else missing()

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"ContentLength": len(self.objects[Key])} if Key in self.objects else missing()

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self._called(f"put {Key}")
        self.objects[Key] = Body

    def delete_object(self, Bucket: str, Key: str) -> None:  # noqa: N803
        self._called(f"delete {Key}")
        self.objects.pop(Key, None)


def open_bytes(content: bytes) -> Any:
    import io

    return io.BytesIO(content)


def missing() -> dict[str, Any]:
    from botocore.exceptions import ClientError

    raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")


class Bucket(unittest.TestCase):
    def setUp(self) -> None:
        try:
            import botocore  # noqa: F401
        except ImportError:
            self.skipTest("botocore is not installed")
        self.client = Client()
        for day in (17, 18, 19, 20):
            self.write(day)
        self.client.objects["backups/ml/tracking/other/manifest.json"] = b"{}"
        self.client.objects["elsewhere"] = b""

    def write(self, day: int) -> None:
        folder = f"backups/ml/tracking/{name_of(day)}"
        self.client.objects[f"{folder}/tracking.pgdump"] = b"dump"
        self.client.objects[f"{folder}/manifest.json"] = manifest(name_of(day), {"tracking.pgdump": b"dump"})

    def delete(self) -> int:
        folders = BucketFolders(self.client, "b", f"backups/ml/tracking/{name_of(20)}")
        return delete_older(folders, Schedule("nightly", UID, name_of(20), 2))

    def expected(self) -> list[str]:
        kept = [
            f"backups/ml/tracking/{name_of(day)}/{name}"
            for day in (19, 20)
            for name in ("manifest.json", "tracking.pgdump")
        ]
        return [*kept, "backups/ml/tracking/other/manifest.json", "elsewhere"]

    def test_keeps_the_newest(self) -> None:
        self.assertEqual(self.delete(), 2)
        self.assertEqual(sorted(self.client.objects), self.expected())
        # Only what is no longer a backup is deleted.
        first = [each.rpartition("/")[2] for each in self.client.calls[:4]]
        self.assertEqual(first, ["removed.json", "manifest.json", "tracking.pgdump", "removed.json"])

    def test_completes_whenever_it_is_interrupted(self) -> None:
        for allowed in range(9):
            self.setUp()
            self.client.allowed = allowed
            with self.subTest(allowed=allowed):
                try:
                    self.delete()
                except InterruptedError:
                    self.client.allowed = 1000
                    self.delete()
                self.assertEqual(sorted(self.client.objects), self.expected())


if __name__ == "__main__":
    unittest.main()

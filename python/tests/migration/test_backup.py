"""Tests of backups with the installed MLflow: SQLite and PostgreSQL, on a volume and in a bucket."""

import errno
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import backup
import migrate
from migration_process import make_earlier
from mlflow_outcome import Failure

PROGRAM = Path(__file__).parents[2] / "src" / "backup.py"
KEY = "not-shown-anywhere"


def backed_up(uri: str, folder: Path, more: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any], str]:
    """Returns exit code, report and output of one run."""
    report = Path(tempfile.mkstemp()[1])
    env = {
        **os.environ,
        "TRACKING_DATABASE_URI": uri,
        "BACKUP_DESTINATION": str(folder),
        "BACKUP_DIRECTORY": "team/tracking/first",
        "BACKUP_NAME": "first",
        "BACKUP_UID": "uid-1",
        "BACKUP_SERVER_NAME": "tracking",
        "BACKUP_SERVER_NAMESPACE": "team",
        "BACKUP_SERVER_UID": "1",
        "BACKUP_ARTIFACTS": "s3://artifacts/mlflow",
        "BACKUP_KEK_PASSPHRASE": KEY,
        "BACKUP_WEBHOOK_KEY": KEY,
        "TERMINATION_LOG": str(report),
        **(more or {}),
    }
    done = subprocess.run(
        [sys.executable, str(PROGRAM)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    text = report.read_text()
    return done.returncode, json.loads(text) if text else {}, done.stdout + text


def checked(folder: Path) -> dict[str, Any]:
    """Returns the manifest of a backup, after the check of its files."""
    text = (folder / "manifest.json").read_text()
    assert KEY not in text
    manifest: dict[str, Any] = json.loads(text)
    for file in manifest["files"]:
        content = (folder / file["name"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"]), file
    assert sorted(each.name for each in folder.iterdir()) == sorted(
        ["manifest.json", *(file["name"] for file in manifest["files"])]
    )
    return manifest


class Sqlite(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.database = self.folder / "mlflow.db"
        self.uri = f"sqlite:///{self.database}"
        self.target = self.folder / "backups"
        self.target.mkdir()

    def test_a_backup_of_a_volume_has_all_files_and_their_checksums(self) -> None:
        _, revision = make_earlier(self.uri, 0)
        users = self.folder / "basic_auth.db"
        with sqlite3.connect(users) as made:
            made.execute("CREATE TABLE users (username TEXT)")
        artifacts = self.folder / "artifacts"
        (artifacts / "1" / "a").mkdir(parents=True)
        (artifacts / "1" / "a" / "model.bin").write_bytes(os.urandom(3 << 20))
        (artifacts / "empty").touch()
        # What an interrupted run has left.
        left = self.target / "team" / "tracking" / "first.partial"
        left.mkdir(parents=True)
        (left / "half").touch()
        more = {"BACKUP_ARTIFACTS": str(artifacts), "AUTH_DATABASE_URI": f"sqlite:///{users}"}
        with sqlite3.connect(self.database) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("UPDATE experiments SET name = 'in the log' WHERE experiment_id = 7")
            writer.commit()
            code, report, output = backed_up(self.uri, self.target, more)
        self.assertEqual(code, 0, output)
        final = self.target / "team" / "tracking" / "first"
        manifest = checked(final)
        self.assertEqual([each["file"] for each in manifest["databases"]], ["tracking.sqlite", "users.sqlite"])
        self.assertEqual(report["schemaRevision"], revision)
        self.assertEqual(report["size"], sum(each["size"] for each in manifest["files"]))
        self.assertEqual(report["location"], str(final))
        with sqlite3.connect(final / "tracking.sqlite") as copy:
            self.assertEqual(
                copy.execute("SELECT name FROM experiments WHERE experiment_id = 7").fetchall(), [("in the log",)]
            )
        with tarfile.open(final / "artifacts.tar") as archive:
            self.assertEqual(sorted(archive.getnames()), ["1/a/model.bin", "empty"])
        self.assertFalse(left.exists())
        # Another run of the same Job finds the complete backup.
        self.assertEqual(backed_up("sqlite:////nowhere/mlflow.db", self.target)[:2], (0, report))
        # Another MlflowBackup does not take it for its own.
        code, report, _ = backed_up(self.uri, self.target, {"BACKUP_UID": "uid-2"})
        self.assertEqual((code, report["reason"]), (1, "BackupDestinationRejected"))
        self.assertIn("contains another backup, which was not changed", report["message"])
        self.assertEqual(checked(final)["uid"], "uid-1")

    def test_users_in_the_tracking_database_are_in_its_dump(self) -> None:
        make_earlier(self.uri, 0)
        code, _, output = backed_up(self.uri, self.target, {"AUTH_DATABASE_URI": self.uri})
        self.assertEqual(code, 0, output)
        databases = checked(self.target / "team" / "tracking" / "first")["databases"]
        self.assertEqual(
            [(each["role"], each["application"], each["file"]) for each in databases],
            [("tracking", "tracking", "tracking.sqlite"), ("users", "auth", "tracking.sqlite")],
        )

    def test_a_missing_database_has_a_reason_and_leaves_nothing(self) -> None:
        code, report, _ = backed_up(self.uri, self.target)
        self.assertEqual((code, report["reason"]), (1, "DatabaseNotFound"))
        self.assertEqual(list(self.target.iterdir()), [])
        self.assertFalse(self.database.exists())

    def test_a_volume_that_cannot_be_written_has_a_reason(self) -> None:
        # A file where a directory is needed; root ignores permissions.
        (self.folder / "file").touch()
        with self.assertRaises(Failure) as raised:
            backup.Volume(str(self.folder / "file"), "team/first").begin()
        self.assertEqual(raised.exception.reason, "BackupDestinationRejected")
        volume = backup.Volume(str(self.target), "team/first")
        with self.assertRaises(Failure) as raised, volume._reported():
            raise OSError(errno.ENOSPC, "the text is not shown")
        self.assertEqual(raised.exception.reason, "BackupDestinationFull")
        self.assertNotIn("the text", raised.exception.message)


class Store(BaseHTTPRequestHandler):
    """A bucket with multipart uploads; it answers a path in `rejected` with an error code."""

    objects: dict[str, bytes] = {}
    parts: dict[str, dict[int, bytes]] = {}
    aborted: list[str] = []
    rejected: tuple[str, str] | None = None

    def handle_any(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query, keep_blank_values=True)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.rejected is not None and self.command == self.rejected[0]:
            return self.send(403, f"<Error><Code>{self.rejected[1]}</Code></Error>")
        if self.command == "GET":
            found = self.objects.get(url.path)
            return self.send(200, found) if found else self.send(404, "<Error><Code>NoSuchKey</Code></Error>")
        if "uploads" in query:
            self.parts[url.path] = {}
            return self.send(200, "<R><UploadId>u</UploadId></R>")
        if self.command == "DELETE":
            self.aborted.append(url.path)
            return self.send(204, "")
        if "partNumber" in query:
            self.parts[url.path][int(query["partNumber"][0])] = body
            return self.send(200, "")
        if "uploadId" in query:
            self.objects[url.path] = b"".join(part for _, part in sorted(self.parts[url.path].items()))
            return self.send(200, "<R><ETag>e</ETag></R>")
        self.objects[url.path] = body
        return self.send(200, "")

    do_GET = do_PUT = do_POST = do_DELETE = handle_any

    def send(self, status: int, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("etag", '"e"')
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Bucket(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.uri = f"sqlite:///{self.folder}/mlflow.db"
        Store.objects, Store.parts, Store.aborted, Store.rejected = {}, {}, [], None
        server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.settings = {
            "BACKUP_DESTINATION": "s3://backups/cluster",
            "BACKUP_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": KEY,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            # The checksum would be a trailer of a chunked body, which this store does not read.
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        }

    def test_a_backup_is_objects_below_its_prefix_with_the_manifest_last(self) -> None:
        make_earlier(self.uri, 0)
        artifacts = self.folder / "artifacts"
        artifacts.mkdir()
        # More than one part.
        (artifacts / "model.bin").write_bytes(os.urandom(33 << 20))
        code, report, output = backed_up(self.uri, self.folder, {**self.settings, "BACKUP_ARTIFACTS": str(artifacts)})
        self.assertEqual(code, 0, output)
        self.assertEqual(report["location"], "s3://backups/cluster/team/tracking/first")
        prefix = "/backups/cluster/team/tracking/first"
        manifest = json.loads(Store.objects[f"{prefix}/manifest.json"])
        self.assertGreater(len(Store.parts[f"{prefix}/artifacts.tar"]), 2)
        for file in manifest["files"]:
            content = Store.objects[f"{prefix}/{file['name']}"]
            self.assertEqual((len(content), hashlib.sha256(content).hexdigest()), (file["size"], file["sha256"]))
        self.assertEqual(list(Store.objects)[-1], f"{prefix}/manifest.json")
        self.assertNotIn(KEY, output + json.dumps(manifest))
        self.assertEqual([each.name for each in self.folder.glob("*copy*")], [])
        self.assertEqual(backed_up(self.uri, self.folder, self.settings)[:2], (0, report))

    def test_each_backup_has_its_own_copy_and_only_what_is_stale_is_deleted(self) -> None:
        database = self.folder / "mlflow.db"
        stale = self.folder / f"mlflow.db{backup.COPY_SUFFIX}-0123456789"
        of_another = self.folder / f"mlflow.db{backup.COPY_SUFFIX}-9876543210"
        for path in (stale, of_another):
            path.write_text("a copy")
        long_ago = time.time() - backup.STALE_SECONDS - 1
        os.utime(stale, (long_ago, long_ago))
        paths = set()
        for uid in ("1", "2"):
            with mock.patch.dict(os.environ, {"BACKUP_UID": uid}):
                paths.add(backup.Destination.copy_path(mock.Mock(), database))
        self.assertEqual(len(paths), 2)
        backup.remove_stale(database)
        self.assertEqual(sorted(each.name for each in self.folder.glob("*backup-copy*")), [of_another.name])

    def test_a_store_that_rejects_writes_has_a_reason_and_keeps_no_upload(self) -> None:
        for method, answer, reason in (
            ("POST", "AccessDenied", "BackupDestinationReadOnly"),
            ("PUT", "QuotaExceeded", "BackupDestinationFull"),
            ("GET", "InvalidAccessKeyId", "BackupDestinationAuthenticationFailed"),
        ):
            with self.subTest(answer), mock.patch.dict(os.environ, self.settings):
                Store.rejected = (method, answer)
                with self.assertRaises(Failure) as raised:
                    bucket = backup.Bucket("s3://backups/cluster", "first")
                    bucket.complete()
                    sink = bucket.create("tracking.sqlite")
                    sink.write(b"content")
                    sink.finished()
                self.assertEqual(raised.exception.reason, reason)
                self.assertNotIn(KEY, raised.exception.message)
                self.assertEqual(Store.objects, {})
        self.assertEqual(Store.aborted, ["/backups/cluster/first/tracking.sqlite"])


class Tools(unittest.TestCase):
    target = migrate.Store("tracking", "postgresql://", "postgresql database", "db", 5432, None, "postgresql")

    def test_a_missing_or_older_program_has_a_reason(self) -> None:
        with mock.patch.dict(os.environ, {"PATH": "/nowhere"}), self.assertRaises(Failure) as raised:
            backup.installed(("pg_dump",), self.target)
        self.assertEqual(raised.exception.reason, "BackupToolMissing")
        with self.assertRaises(Failure) as raised:
            backup.require_tool((15,), (17,), "pg_dump", self.target)
        self.assertEqual(raised.exception.reason, "BackupToolOutdated")
        self.assertIn("15", raised.exception.message)
        backup.require_tool((17,), (17,), "pg_dump", self.target)

    def test_failures_of_a_program_have_stable_reasons_and_are_not_quoted(self) -> None:
        tool = backup.Tool("pg_dump", [])
        for text, reason in (
            ("connection to server was lost: server closed the connection unexpectedly", "DatabaseUnreachable"),
            ("permission denied for table experiments", "DatabasePermissionDenied"),
            ("canceling statement due to lock timeout", "DatabaseLocked"),
            ("Access denied for user 'mlflow'@'10.0.0.1' (using password: YES)", "DatabaseAuthenticationFailed"),
            ("Lost connection to server during query", "DatabaseUnreachable"),
            ("something else", "BackupFailed"),
        ):
            failure = backup.dump_failure(tool, self.target, 1, text)
            self.assertEqual(failure.reason, reason)
            self.assertNotIn(text, failure.message)
        self.assertIn("signal 9", backup.dump_failure(tool, self.target, -9, "").message)

    def test_a_value_cannot_become_further_lines_of_a_settings_file(self) -> None:
        for uri in (
            "mysql+pymysql://user:secret@db/mlflow?ssl_ca=/ca%0Aplugin-dir=/mlflow/data/artifacts",
            "mysql+pymysql://user%0Ainit-command=x:secret@db/mlflow",
            "postgresql://user:secret@db/mlflow%0D%0Ahost=other",
            "postgresql://user:secret@db/mlflow?application_name=x%0Apassfile=/tmp/x",
        ):
            target = migrate.store("tracking", uri, "spec.backendStore")
            with self.assertRaises(Failure) as raised:
                backup.query_of(target)
            self.assertEqual(raised.exception.reason, "ConfigurationInvalid")
            self.assertNotIn("secret", raised.exception.message)
        password = migrate.store("tracking", "postgresql://user:a%0Ab@db/mlflow?sslmode=require", "spec.backendStore")
        self.assertEqual(backup.query_of(password)[1], {"sslmode": "require"})

    def test_values_of_an_option_file_keep_all_characters(self) -> None:
        self.assertEqual(backup.quoted('a"b\\c'), '"a"b\\\\c"')


if __name__ == "__main__":
    unittest.main()

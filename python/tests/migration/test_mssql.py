"""Tests of the check of the connection to SQL Server with its driver. None runs on a SQL Server."""

import socket
import threading
import unittest

import pymssql
from mlflow.store.db.utils import create_sqlalchemy_engine

from migrate import failure, store
from migration_process import migrated, ran

QUERY = "encryption=require&tds_version=7.4"


class Rejecting:
    """A server that reads the first message of a client, and closes the connection."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.received: list[bytes] = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.received.append(connection.recv(4096))

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class SqlServer(unittest.TestCase):
    def uri(self, port: int, host: str = "127.0.0.1") -> str:
        return f"mssql+pymssql://mlflow:not-shown@{host}:{port}/mlflow?{QUERY}"

    def test_a_port_that_refuses_connections(self) -> None:
        code, report, output = migrated(self.uri(closed_port()))
        self.assertEqual((code, report["reason"]), (1, "DatabaseUnreachable"), output)
        self.assertIn('mssql database "mlflow" on 127.0.0.1:', report["message"])
        self.assertNotIn("not-shown", output + report["message"])

    def test_a_host_that_does_not_exist(self) -> None:
        code, report, output = migrated(self.uri(1433, "no-such-host.invalid"))
        self.assertEqual((code, report["reason"]), (1, "DatabaseUnreachable"), output)
        self.assertIn("its host name does not resolve", report["message"])

    def test_a_server_that_closes_the_connection(self) -> None:
        server = Rejecting()
        self.addCleanup(server.close)
        code, report, output = migrated(self.uri(server.port))
        self.assertEqual((code, report["reason"]), (1, "DatabaseRejected"), output)
        self.assertNotIn("not-shown", output + report["message"])
        # PRELOGIN, the only message before TLS; the first connection is that of the check of the port.
        self.assertEqual({message[:1] for message in server.received if message}, {b"\x12"})
        self.assertNotIn(b"mlflow", b"".join(server.received))

    def test_the_error_of_the_driver_has_a_reason(self) -> None:
        uri = self.uri(closed_port())
        with self.assertRaises(Exception) as raised:
            create_sqlalchemy_engine(uri).connect()
        self.assertIsInstance(raised.exception.__cause__, pymssql.OperationalError)
        result = failure(raised.exception, store("tracking", uri, "the test"), "Connecting", connecting=True)
        self.assertEqual(result.reason, "DatabaseUnreachable")
        self.assertNotIn("not-shown", result.message)

    def test_a_backup_is_rejected_before_it_connects(self) -> None:
        code, report, output = ran("backup.py", self.uri(closed_port()), {"BACKUP_UID": "1"})
        self.assertEqual((code, report["reason"]), (1, "BackupUnsupported"), output)
        self.assertIn("so no backup is written", report["message"])


if __name__ == "__main__":
    unittest.main()

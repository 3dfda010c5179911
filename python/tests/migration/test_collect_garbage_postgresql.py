"""Tests of the garbage collection while users restore, register and delete, with PostgreSQL."""

import threading
import time
import unittest
from unittest import mock

import collect_garbage
import postgresql_server
import test_collect_garbage_changes
from test_collect_garbage import Fixture
from test_collect_garbage_changes import during_deletion


class OnPostgresql(test_collect_garbage_changes.Changes, postgresql_server.PostgresqlCase):
    def setUp(self) -> None:
        connection = self.connect("postgres")
        connection.autocommit = True
        connection.cursor().execute("DROP DATABASE IF EXISTS mlflow WITH (FORCE)")
        connection.cursor().execute("CREATE DATABASE mlflow")
        connection.close()
        self.server = Fixture(f"postgresql+psycopg2://mlflow@127.0.0.1:{self.port}/mlflow")
        self.addCleanup(self.server.remove)

    def test_a_restoration_waits_for_the_deletion_and_fails(self) -> None:
        run = self.server.run_in("0")
        self.server.store.delete_run(run)
        failures: list[Exception] = []

        def restore() -> None:
            try:
                self.server.store.restore_run(run)
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=restore)

        def begin() -> None:
            thread.start()
            deadline = time.monotonic() + 60
            while not self.is_waiting():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)

        with during_deletion(begin):
            self.assertEqual(self.counts(), (1, 0, 0, 0, 0))
        thread.join(60)
        self.assertEqual(len(failures), 1)
        self.assertNotIn(run, self.server.files())

    def is_waiting(self) -> bool:
        connection = self.connect()
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE wait_event_type = 'Lock'")
        found = cursor.fetchone()[0]
        connection.close()
        return bool(found > 0)

    def test_counts_the_age_with_the_clock_of_the_database_if_it_is_behind(self) -> None:
        run = self.server.run_in("0")
        self.server.store.delete_run(run)
        behind = {"postgresql": "SELECT extract(epoch FROM clock_timestamp() - interval '1 hour')"}
        with mock.patch.object(collect_garbage, "CLOCKS", behind):
            self.assertEqual(self.counts(), (0, 0, 0, 0, 0))
        with mock.patch("time.time", return_value=time.time() + 1e6):
            self.assertEqual(self.counts(age=3600), (0, 0, 0, 0, 0))
        self.assertEqual(self.counts(), (1, 0, 0, 0, 0))


if __name__ == "__main__":
    unittest.main()

"""Tests of the garbage collection while users restore, register and delete: the artifacts of what is in use stay."""

import functools
import time
import unittest
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from unittest import mock

from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry

import collect_garbage
from collect_garbage import Collector
from test_collect_garbage import Fixture


def meanwhile(method: str, change: Callable[[], Any]) -> Any:
    """Makes a change after the collector has run a method."""
    original = getattr(Collector, method)

    @functools.wraps(original)
    def changed(collector: Collector, *args: Any) -> Any:
        result = original(collector, *args)
        change()
        return result

    return mock.patch.object(Collector, method, changed)


def during_deletion(change: Callable[[], Any]) -> Any:
    """Makes a change once, while artifacts are deleted."""
    original = collect_garbage.delete_artifacts
    changes = [change]

    def changed(uri: str) -> None:
        original(uri)
        if changes:
            changes.pop()()

    return mock.patch.object(collect_garbage, "delete_artifacts", changed)


if TYPE_CHECKING:
    Base = unittest.TestCase
else:
    # A base of its own would be run as a test.
    Base = object


class Changes(Base):
    """The tests, with the database of a subclass."""

    server: Fixture

    def counts(self, **options: Any) -> tuple[int, int, int, int, int]:
        counts = self.server.collect(**options).counts
        return counts.runs, counts.models, counts.experiments, counts.kept, counts.failed

    def test_keeps_what_is_registered_after_the_list_was_read(self) -> None:
        run, model = self.server.run_in("0"), self.server.model_in("0")
        self.server.store.delete_run(run)
        self.server.store.delete_logged_model(model)

        def register() -> None:
            registry = Registry(self.server.uri)
            registry.create_registered_model("named")
            registry.create_model_version("named", f"mlflow-artifacts:/0/{run}/artifacts/folder", run)
            registry.create_model_version("named", f"mlflow-artifacts:/0/models/{model}/artifacts")

        with meanwhile("ids_of_versions", register):
            self.assertEqual(self.counts(), (0, 0, 0, 2, 0))
        files = self.server.files()
        self.assertTrue(run in files and model in files)

    def test_keeps_what_is_restored_or_deleted_again_after_the_list_was_read(self) -> None:
        restored, again = self.server.run_in("0"), self.server.run_in("0")
        store = self.server.store
        for run in (restored, again):
            store.delete_run(run)
        time.sleep(2.1)

        def change() -> None:
            store.restore_run(restored)
            store.restore_run(again)
            store.delete_run(again)

        with meanwhile("deleted_runs", change):
            self.assertEqual(self.counts(age=1), (0, 0, 0, 2, 0))
        files = self.server.files()
        self.assertTrue(restored in files and again in files)

    def test_keeps_an_experiment_that_is_restored_or_deleted_again_after_the_list_was_read(self) -> None:
        store = self.server.store
        restored, again, _ = (store.create_experiment(name) for name in ("restored", "again", "highest"))
        models = [self.server.model_in(each) for each in (restored, again)]
        for each in (restored, again):
            store.delete_experiment(each)
        time.sleep(2.1)

        def change() -> None:
            store.restore_experiment(restored)
            store.restore_experiment(again)
            store.delete_experiment(again)

        with meanwhile("deleted_experiments", change):
            self.assertEqual(self.counts(age=1)[2:], (0, 2, 0))
        files = self.server.files()
        self.assertTrue(all(each in files for each in models))

    def test_deletes_nothing_if_a_clock_is_ahead(self) -> None:
        run = self.server.run_in("0")
        self.server.store.delete_run(run)
        with mock.patch.object(Collector, "now", return_value=time.time() - 3600):
            self.assertEqual(self.counts(), (0, 0, 0, 0, 0))
        self.assertIn(run, self.server.files())


class OnSqlite(Changes, unittest.TestCase):
    def setUp(self) -> None:
        self.server = Fixture()
        self.addCleanup(self.server.remove)

    def test_keeps_the_row_of_a_run_that_is_restored_while_its_artifacts_are_deleted(self) -> None:
        run = self.server.run_in("0")
        self.server.store.delete_run(run)
        with during_deletion(lambda: self.server.store.restore_run(run)):
            self.assertEqual(self.counts(), (0, 0, 0, 1, 0))
        self.assertEqual(self.server.store.get_run(run).info.lifecycle_stage, "active")

    def test_does_not_lock_the_database_while_artifacts_are_deleted(self) -> None:
        run = self.server.run_in("0")
        self.server.store.delete_run(run)
        with during_deletion(lambda: self.server.store.create_experiment("meanwhile")):
            self.assertEqual(self.counts(), (1, 0, 0, 0, 0))


if __name__ == "__main__":
    unittest.main()

"""Claims about the garbage collection: what it deletes, what it keeps, and what it reports."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from mlflow.entities import RunStatus
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

import collect_garbage
from collect_garbage import Collector, OutsideStoreError, location

PROGRAM = Path(collect_garbage.__file__)
RUN = "0123456789abcdef0123456789abcdef"


@functools.cache
def empty_database() -> Path:
    """A database with MLflow's tables, which take seconds to create."""
    path = Path(tempfile.mkdtemp()) / "empty.db"
    SqlAlchemyStore(f"sqlite:///{path}", "mlflow-artifacts:/").engine.dispose()
    return path


class Fixture:
    """A server with SQLite, whose clients access artifacts through it."""

    def __init__(self, uri: str = "") -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.artifacts = self.folder / "artifacts"
        self.uri = uri or f"sqlite:///{self.folder}/mlflow.db"
        if not uri:
            shutil.copy(empty_database(), self.folder / "mlflow.db")
        self.store = SqlAlchemyStore(self.uri, "mlflow-artifacts:/")
        self.environment = {
            "MLFLOW_BACKEND_STORE_URI": self.uri,
            "MLFLOW_ARTIFACTS_DESTINATION": str(self.artifacts),
            "MLFLOW_SERVE_ARTIFACTS": "true",
        }

    def run_in(self, experiment: str) -> str:
        """Creates a run with an artifact."""
        run = self.store.create_run(experiment, "u", 1, [], "r")
        self.artifact_of(run.info.artifact_uri)
        return str(run.info.run_id)

    def artifact_of(self, uri: str) -> Path:
        path = self.artifacts / uri.removeprefix("mlflow-artifacts:/").strip("/") / "folder" / "file.txt"
        path.parent.mkdir(parents=True)
        path.write_text("content")
        return path

    def model_in(self, experiment: str) -> str:
        model = self.store.create_logged_model(experiment, "m", None, [], [], None)
        self.artifact_of(model.artifact_location)
        return str(model.model_id)

    def files(self) -> str:
        return " ".join(sorted(str(each) for each in self.artifacts.rglob("*.txt")))

    def collect(self, age: int = 0, is_dry_run: bool = False) -> Collector:
        with mock.patch.dict(os.environ, self.environment):
            collector = Collector(self.uri, age, is_dry_run)
            collector.collect()
            return collector

    def remove(self) -> None:
        shutil.rmtree(self.folder)


class Collection(unittest.TestCase):
    def setUp(self) -> None:
        self.server = Fixture()
        self.addCleanup(self.server.remove)
        self.store = self.server.store

    def counts(self, **options: Any) -> str:
        counts = self.server.collect(**options).counts
        return " ".join(
            f"{name}={getattr(counts, name)}" for name in ("runs", "models", "experiments", "kept", "failed")
        )

    def test_deletes_deleted_runs_and_models_with_their_artifacts(self) -> None:
        gone, live = self.server.run_in("0"), self.server.run_in("0")
        model, other = self.server.model_in("0"), self.server.model_in("0")
        self.store.delete_run(gone)
        self.store.delete_logged_model(model)
        self.assertEqual(self.counts(is_dry_run=True), "runs=1 models=1 experiments=0 kept=0 failed=0")
        self.assertIn(gone, self.server.files())
        self.assertEqual(self.counts(age=3600), "runs=0 models=0 experiments=0 kept=0 failed=0")
        self.assertEqual(self.counts(), "runs=1 models=1 experiments=0 kept=0 failed=0")
        files = self.server.files()
        self.assertEqual([each in files for each in (gone, live, model, other)], [False, True, False, True])
        self.assertEqual(self.counts(), "runs=0 models=0 experiments=0 kept=0 failed=0")
        self.assertEqual(self.store.get_run(live).info.status, RunStatus.to_string(RunStatus.RUNNING))

    def test_deletes_experiments_with_models_and_traces_but_never_gives_an_id_again(self) -> None:
        from mlflow.entities import TraceInfo, TraceLocation, TraceState

        experiment = self.store.create_experiment("old")
        run, model = self.server.run_in(experiment), self.server.model_in(experiment)
        trace = f"tr-{RUN}"
        self.store.start_trace(
            TraceInfo(trace, TraceLocation.from_experiment_id(experiment), 1, TraceState.OK, tags={}, trace_metadata={})
        )
        self.server.artifact_of(f"mlflow-artifacts:/{experiment}/traces/{trace}/artifacts")
        self.store.delete_experiment(experiment)
        self.assertEqual(self.counts(is_dry_run=True), "runs=1 models=0 experiments=0 kept=1 failed=0")
        self.assertEqual(self.counts(), "runs=1 models=0 experiments=0 kept=1 failed=0")
        newer = self.store.create_experiment("newer")
        self.assertGreater(int(newer), int(experiment))
        self.assertEqual(self.counts(), "runs=0 models=0 experiments=1 kept=0 failed=0")
        files = self.server.files()
        self.assertEqual([each in files for each in (run, model, trace)], [False, False, False])

    def test_keeps_experiments_with_runs_that_are_not_old_enough(self) -> None:
        experiment, _ = self.store.create_experiment("old"), self.store.create_experiment("newer")
        run = self.server.run_in(experiment)
        self.store.delete_experiment(experiment)
        self.store.restore_run(run)
        self.assertEqual(self.counts(), "runs=0 models=0 experiments=0 kept=1 failed=0")
        self.assertIn(run, self.server.files())

    def test_keeps_what_a_registered_model_uses(self) -> None:
        run, model = self.server.run_in("0"), self.server.model_in("0")
        registry = Registry(self.server.uri)
        registry.create_registered_model("named")
        registry.create_model_version("named", f"mlflow-artifacts:/0/{run}/artifacts/folder", run)
        registry.create_model_version("named", f"mlflow-artifacts:/0/models/{model}/artifacts")
        self.store.delete_run(run)
        self.store.delete_logged_model(model)
        self.assertEqual(self.counts(), "runs=0 models=0 experiments=0 kept=2 failed=0")
        registry.delete_registered_model("named")
        self.assertEqual(self.counts(), "runs=1 models=1 experiments=0 kept=0 failed=0")

    def test_covers_all_workspaces(self) -> None:
        from mlflow.store.tracking.dbmodels.models import SqlExperiment

        experiment = self.store.create_experiment("of-a", artifact_location="mlflow-artifacts:/9")
        with self.store.ManagedSessionMaker(read_only=False) as session:
            session.query(SqlExperiment).filter(SqlExperiment.experiment_id == int(experiment)).update(
                {"workspace": "team-a"}
            )
        run = self.store.create_run(experiment, "u", 1, [], "r").info.run_id
        kept = self.server.artifact_of(f"mlflow-artifacts:/9/{run}/artifacts")
        self.server.artifact_of(f"mlflow-artifacts:/workspaces/team-a/9/{run}/artifacts")
        self.store.delete_run(run)
        self.assertEqual(self.counts(), "runs=1 models=0 experiments=0 kept=0 failed=0")
        self.assertEqual(self.server.files(), str(kept))

    def test_leaves_runs_whose_artifacts_cannot_be_deleted_and_continues(self) -> None:
        broken, fine = self.server.run_in("0"), self.server.run_in("0")
        folder = self.server.artifacts / "0" / broken / "artifacts"
        self.store.delete_run(broken)
        self.store.delete_run(fine)
        remove = shutil.rmtree

        def fail(path: str, *args: Any) -> None:
            if Path(path) == folder:
                raise PermissionError
            remove(path, *args)

        with mock.patch("shutil.rmtree", fail):
            collector = self.server.collect()
        self.assertEqual((collector.counts.runs, collector.counts.failed), (1, 1))
        self.assertEqual(collector.failure and collector.failure.reason, "ArtifactStoreReadOnly")
        with mock.patch("shutil.rmtree", lambda *_: None):
            collector = self.server.collect()
        self.assertEqual(collector.failure and collector.failure.reason, "ArtifactStoreReadOnly")
        self.assertEqual(self.store.get_run(broken).info.lifecycle_stage, "deleted")
        self.assertEqual(self.counts(), "runs=1 models=0 experiments=0 kept=0 failed=0")


class Locations(unittest.TestCase):
    def of(self, uri: str, root: str, workspace: str = "default") -> str | None:
        with mock.patch.dict(os.environ, {"MLFLOW_ARTIFACTS_DESTINATION": root}):
            try:
                return location(uri, RUN, workspace)
            except OutsideStoreError:
                return None

    def test_resolves_artifacts_in_the_store(self) -> None:
        own = f"5/{RUN}/artifacts"
        s3 = "s3://bucket/prefix"
        azure = "wasbs://c@account.blob.core.windows.net/prefix"
        self.assertEqual(self.of(f"mlflow-artifacts:/{own}", s3), f"{s3}/{own}")
        self.assertEqual(self.of(f"mlflow-artifacts:/{own}", azure), f"{azure}/{own}")
        self.assertEqual(self.of(f"mlflow-artifacts:/{own}", s3, "a"), f"{s3}/workspaces/a/{own}")
        self.assertEqual(self.of(f"mlflow-artifacts:/workspaces/a/{own}", s3, "a"), f"{s3}/workspaces/a/{own}")
        self.assertEqual(self.of(f"{s3}/{own}", s3), f"{s3}/{own}")
        self.assertEqual(self.of(f"s3://bucket/{own}", "s3://bucket"), f"s3://bucket/{own}")
        self.assertEqual(self.of(f"/data/artifacts/{own}", "/data/artifacts"), f"/data/artifacts/{own}")

    def test_rejects_everything_that_is_not_a_folder_of_its_own_there(self) -> None:
        s3 = "s3://bucket/prefix"
        own = f"{RUN}/artifacts"
        for uri in (
            "mlflow-artifacts:/",
            "mlflow-artifacts:/5/artifacts",
            f"mlflow-artifacts:/{RUN}",
            f"mlflow-artifacts://host:5000/{own}",
            f"mlflow-artifacts:/a%3Fb/{own}",
            f"mlflow-artifacts:/a%23b/{own}",
            f"mlflow-artifacts:/a%3Bb;c/{own}?x",
            f"mlflow-artifacts:/%2e%2e/{own}",
            f"mlflow-artifacts:/../{own}",
            f"s3://bucket/{own}?version=1",
            f"s3://bucket/{own}#x",
            f"file:///etc/{own}",
            f"/etc/{own}",
            f"gs://bucket/prefix/{own}",
            f"s3://other/prefix/{own}",
            f"s3://bucket/of-another-server/{own}",
            f"s3://bucket/prefix-of-another-server/{own}",
            f"http://host/{own}",
            "",
        ):
            self.assertIsNone(self.of(uri, s3), uri)
        self.assertIsNone(self.of(f"mlflow-artifacts:/workspaces/b/{own}", s3, "a"))
        self.assertIsNone(self.of(f"/data/artifacts-of-others/{own}", "/data/artifacts"))
        self.assertIsNone(self.of(f"/data/artifacts/../x/{own}", "/data/artifacts"))
        self.assertIsNone(self.of(f"file:///data/artifacts/%2e%2e/x/{own}", "/data/artifacts"))


class Program(unittest.TestCase):
    def test_reports_the_result_or_a_reason_without_credentials(self) -> None:
        server = Fixture()
        self.addCleanup(server.remove)
        server.store.delete_run(server.run_in("0"))
        report = server.folder / "report"

        def result(**more: str) -> tuple[int, dict[str, Any], str]:
            env = {
                **os.environ,
                **server.environment,
                "TERMINATION_LOG": str(report),
                "GARBAGE_AGE_SECONDS": "0",
                **more,
            }
            ended = subprocess.run(
                [sys.executable, str(PROGRAM)], env=env, capture_output=True, text=True, timeout=300, check=False
            )
            return ended.returncode, json.loads(report.read_text()), ended.stdout + ended.stderr

        code, found, _ = result(GARBAGE_AGE_SECONDS="")
        self.assertEqual((code, found["reason"]), (1, "ConfigurationInvalid"))
        code, found, output = result(
            MLFLOW_BACKEND_STORE_URI="postgresql://mlflow:secret-1@127.0.0.1:1/mlflow", MIGRATION_CONNECT_SECONDS="1"
        )
        self.assertEqual((code, found["reason"]), (1, "DatabaseUnreachable"))
        self.assertNotIn("secret-1", output + str(found))
        expected = {"runs": 1, "models": 0, "experiments": 0, "kept": 0, "failed": 0, "dryRun": False}
        self.assertEqual(result()[:2], (0, expected))


if __name__ == "__main__":
    unittest.main()

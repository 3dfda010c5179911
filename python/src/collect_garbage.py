"""Deletes permanently what has been deleted in MLflow for longer than an age: runs, models and experiments, with their artifacts.

Runs in the MLflow image with the environment of the server, as a Job of a CronJob. It does what `mlflow gc` does with MLflow's own functions, but needs
no MLflow server, and it
- resolves artifacts that are accessed through the server (mlflow-artifacts:) in the store itself;
- deletes only folders that have the ID of their run, model or trace in the server's own store, and checks afterwards that they are empty;
- keeps runs and models that a version of a registered model uses, and the experiments that contain them;
- keeps, in databases that give the highest ID again (SQLite, MySQL), the experiment with the highest ID: permissions belong to IDs, so
  users of the old experiment would have access to a new one;
- checks each run, model and experiment again immediately before its deletion, and locks its row until it is deleted (except in SQLite, which
  locks whole databases): a run that is restored, deleted again or registered meanwhile stays, and a restoration waits and then fails instead of
  showing a run without artifacts;
- counts the age with the earlier of the clocks of the database and the pod;
- covers all workspaces, those whose namespace no longer exists included;
- continues after a failure, and reports it.
Artifacts are deleted before their row, so an interrupted run is continued by the next one.

Environment: that of the server, and
  GARBAGE_AGE_SECONDS       the age: seconds since the deletion
  GARBAGE_DRY_RUN           "true": only count
  TERMINATION_LOG           where the result is reported; default /dev/termination-log
  GARBAGE_MAX_SECONDS       after this time nothing more is deleted, and the next run continues; default 18000

The result is one line of JSON in the termination log: {"runs", "models", "experiments", "kept", "failed", "dryRun"}, and in a failure (exit code 1)
also {"reason", "message"}. Reasons: those of the migration and of the check of the artifact store, GarbageCollectionFailed.

No credential and no text of an exception is ever written.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import ParseResult, unquote, urlparse

import check_artifacts
import migrate
from mlflow_outcome import ERR, MESSAGE_LENGTH, OUT, Failure, end_on_sigterm, log, succeed

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# Failures in sequence after which the store counts as unreachable.
MOST_FAILURES = 5
# Traces whose artifacts are read from the database together.
PAGE = 500
DEFAULT_WORKSPACE = "default"
# The time of the database, in seconds since 1970.
CLOCKS = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT unix_timestamp()",
    "mssql": "SELECT datediff_big(second, '1970-01-01', sysutcdatetime())",
}


@dataclass
class Counts:
    """What was deleted, or in a dry run what can be deleted."""

    runs: int = 0
    models: int = 0
    experiments: int = 0
    kept: int = 0
    failed: int = 0
    dryRun: bool = False  # noqa: N815


class OutsideStoreError(Exception):
    """Artifacts are in a place that is not a folder of their own in the server's store."""


class NotDeletedError(Exception):
    """The store has accepted the deletion, and the artifacts are still there."""


class Collector:
    """One run over a database and a store."""

    def __init__(self, uri: str, age_seconds: int, is_dry_run: bool) -> None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        class AllWorkspaces(SqlAlchemyStore):  # type: ignore[misc]
            """Reads the rows of all workspaces, and creates no default experiment."""

            def _initialize_store_state(self) -> None:
                pass

        self.store = AllWorkspaces(uri, root())
        self.before = int((self.now() - age_seconds) * 1000)
        self.counts = Counts(dryRun=is_dry_run)
        self.failure: Failure | None = None
        self._failures = 0
        self._ends = time.monotonic() + float(os.environ.get("GARBAGE_MAX_SECONDS") or "18000")

    def collect(self) -> None:
        self.used = self.ids_of_versions()
        self.each(self.deleted_runs(), self.delete_run)
        self.each(self.deleted_models(), self.delete_model)
        self.each(self.deleted_experiments(), self.delete_experiment)

    def each(self, found: list[Any], delete: Callable[[Any], bool]) -> None:
        """Deletes each, and counts those that are kept and those that fail."""
        for item in found:
            if time.monotonic() > self._ends:
                log("time is over: the next run continues")
                return
            try:
                if not delete(item):
                    self.counts.kept += 1
                self._failures = 0
            except Exception as error:
                self.counts.failed += 1
                self._failures += 1
                self.failure = self.failure or described(error, self.store.db_uri)
                if self._failures >= MOST_FAILURES:
                    return

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        with self.store.ManagedSessionMaker() as session:
            yield session

    def now(self) -> float:
        """The earlier of the times of the database and of this pod: a clock that is ahead must not delete what is not old enough."""
        clock = CLOCKS.get(self.store.db_type)
        if clock is None:
            return time.time()
        from sqlalchemy import text

        with self.session() as session:
            return min(time.time(), float(session.execute(text(clock)).scalar_one()))

    @contextlib.contextmanager
    def claimed(self, kind: Any, identity: Any) -> Iterator[Session | None]:
        """A transaction that holds the row, if it is deleted, old enough and not used; otherwise None. Committed if the body has no error."""
        from sqlalchemy import inspect, text
        from sqlalchemy.orm import Session

        key = inspect(kind).primary_key[0]
        # Not MLflow's session, which replaces the exceptions.
        with Session(self.store.engine) as session:
            if self.store.db_type == "sqlite":
                session.execute(text("PRAGMA foreign_keys = ON"))
                session.execute(text("PRAGMA busy_timeout = 20000"))
            # SQL Server has no FOR UPDATE.
            locked = session.query(*rows_of(kind)).with_for_update().with_hint(kind, "WITH (UPDLOCK)", "mssql")
            row = locked.filter(key == identity).one_or_none()
            is_old = row is not None and row[0] == "deleted" and row[1] is not None and row[1] <= self.before
            yield session if is_old and not self.is_used(session, identity) else None
            session.commit()

    def is_used(self, session: Session, identity: Any) -> bool:
        """Whether a version of a registered model uses a run or model now."""
        from mlflow.store.model_registry.dbmodels.models import SqlModelVersion as Version
        from sqlalchemy import or_

        if not isinstance(identity, str):
            return False
        if identity in self.used:
            return True
        uses = or_(
            Version.run_id == identity,
            Version.source.contains(identity, autoescape=True),
            Version.storage_location.contains(identity, autoescape=True),
        )
        found = session.query(Version.name).filter(Version.current_stage != "Deleted_Internal", uses).limit(1)
        return found.first() is not None

    def is_still_deleted(self, session: Session, kind: Any, identity: Any) -> bool:
        """Whether it was not restored while its artifacts were deleted, which only SQLite does not prevent."""
        from sqlalchemy import inspect

        key = inspect(kind).primary_key[0]
        return bool(session.query(rows_of(kind)[0]).filter(key == identity).scalar() == "deleted")

    @contextlib.contextmanager
    def using(self, session: Session) -> Iterator[None]:
        """Lets MLflow's functions use a transaction that holds the row."""
        maker = self.store.ManagedSessionMaker
        self.store.ManagedSessionMaker = lambda **_: contextlib.nullcontext(session)
        try:
            yield
        finally:
            self.store.ManagedSessionMaker = maker

    def remove(self, session: Session, kind: Any, identity: Any, delete: Callable[[Any], Any]) -> bool:
        """Deletes a row by a function of MLflow. Its artifacts are gone."""
        if self.store.db_type == "sqlite":
            from sqlalchemy import text

            session.execute(text("BEGIN IMMEDIATE"))
        if not self.is_still_deleted(session, kind, identity):
            log("something was restored while its artifacts were deleted: its row stays")
            return False
        with self.using(session):
            delete(identity)
        return True

    def ids_of_versions(self) -> set[str]:
        """The IDs of the runs and models that versions of registered models use."""
        from mlflow.store.model_registry.dbmodels.models import SqlModelVersion as Version

        found: set[str] = set()
        with self.session() as session:
            rows = session.query(Version.run_id, Version.source, Version.storage_location).filter(
                Version.current_stage != "Deleted_Internal"
            )
            for run_id, *locations in rows:
                found.add(run_id or "")
                for location in locations:
                    found.update(re.findall(r"(?:m-)?[0-9a-f]{32}", location or ""))
        return found

    def deleted_runs(self) -> list[Any]:
        from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlRun

        with self.session() as session:
            rows: list[Any] = (
                session.query(SqlRun.run_uuid, SqlRun.artifact_uri, SqlExperiment.workspace)
                .join(SqlExperiment, SqlExperiment.experiment_id == SqlRun.experiment_id)
                .filter(SqlRun.lifecycle_stage == "deleted", SqlRun.deleted_time <= self.before)
                .all()
            )
            return rows

    def delete_run(self, run: Any) -> bool:
        from mlflow.store.tracking.dbmodels.models import SqlRun

        is_deleted = self.delete(SqlRun, run, self.store._hard_delete_run)
        self.counts.runs += is_deleted
        return is_deleted

    def deleted_models(self) -> list[Any]:
        from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLoggedModel

        with self.session() as session:
            rows: list[Any] = (
                session.query(SqlLoggedModel.model_id, SqlLoggedModel.artifact_location, SqlExperiment.workspace)
                .join(SqlExperiment, SqlExperiment.experiment_id == SqlLoggedModel.experiment_id)
                .filter(
                    SqlLoggedModel.lifecycle_stage == "deleted",
                    SqlLoggedModel.last_updated_timestamp_ms <= self.before,
                )
                .all()
            )
            return rows

    def delete_model(self, model: Any) -> bool:
        from mlflow.store.tracking.dbmodels.models import SqlLoggedModel

        is_deleted = self.delete(SqlLoggedModel, model, self.store._hard_delete_logged_model)
        self.counts.models += is_deleted
        return is_deleted

    def delete(self, kind: Any, found: Any, hard_delete: Callable[[Any], Any]) -> bool:
        """Deletes the artifacts and the row of a run or model, unless it is used or restored."""
        identity, artifacts, workspace = found
        with self.claimed(kind, identity) as session:
            if session is None:
                return False
            if not self.counts.dryRun:
                delete_artifacts(location(artifacts, identity, workspace))
                return self.remove(session, kind, identity, hard_delete)
        return True

    def deleted_experiments(self) -> list[Any]:
        from mlflow.store.tracking.dbmodels.models import SqlExperiment

        with self.session() as session:
            columns = SqlExperiment.experiment_id, SqlExperiment.artifact_location, SqlExperiment.workspace
            rows: list[Any] = (
                session.query(*columns)
                .filter(SqlExperiment.lifecycle_stage == "deleted", SqlExperiment.last_update_time <= self.before)
                .all()
            )
            return rows

    def delete_experiment(self, experiment: Any) -> bool:
        from mlflow.store.tracking.dbmodels.models import SqlExperiment

        experiment_id, artifacts, workspace = experiment
        with self.claimed(SqlExperiment, experiment_id) as session:
            # MLflow creates the experiment with ID 0 again when it starts.
            if session is None or experiment_id == 0 or self.is_reused(session, experiment_id):
                return False
            models = self.models_of(session, experiment_id)
            if self.has_runs(session, experiment_id) or any(self.is_used(session, each) for each, _ in models):
                return False
            if not self.counts.dryRun:
                for model_id, of_model in models:
                    delete_artifacts(location(of_model, model_id, workspace))
                for trace_id in self.traces(experiment_id):
                    with contextlib.suppress(OutsideStoreError):
                        delete_artifacts(location(f"{artifacts}/traces/{trace_id}/artifacts", trace_id, workspace))
                if not self.remove(session, SqlExperiment, experiment_id, self.hard_delete_experiment):
                    return False
        self.counts.experiments += 1
        return True

    def hard_delete_experiment(self, experiment_id: int) -> None:
        self.store._hard_delete_experiment(str(experiment_id))

    def is_reused(self, session: Session, experiment_id: int) -> bool:
        """Whether the database gives the ID again after its row is deleted."""
        from mlflow.store.tracking.dbmodels.models import SqlExperiment
        from sqlalchemy import func

        highest = session.query(func.max(SqlExperiment.experiment_id)).scalar()
        return experiment_id == highest and self.store.db_type in ("sqlite", "mysql")

    def models_of(self, session: Session, experiment_id: int) -> list[Any]:
        from mlflow.store.tracking.dbmodels.models import SqlLoggedModel

        columns = SqlLoggedModel.model_id, SqlLoggedModel.artifact_location
        found: list[Any] = session.query(*columns).filter(SqlLoggedModel.experiment_id == experiment_id).all()
        return found

    def has_runs(self, session: Session, experiment_id: int) -> bool:
        """Whether the experiment has runs. Those that are old enough are gone, except in a dry run."""
        from mlflow.store.tracking.dbmodels.models import SqlRun

        runs = session.query(SqlRun.run_uuid, SqlRun.lifecycle_stage, SqlRun.deleted_time).filter(
            SqlRun.experiment_id == experiment_id
        )
        return any(
            not self.counts.dryRun
            or stage != "deleted"
            or deleted is None
            or deleted > self.before
            or self.is_used(session, run_id)
            for run_id, stage, deleted in runs
        )

    def traces(self, experiment_id: int) -> Iterator[str]:
        from mlflow.store.tracking.dbmodels.models import SqlTraceInfo

        last = ""
        while True:
            with self.session() as session:
                page = (
                    session.query(SqlTraceInfo.request_id)
                    .filter(SqlTraceInfo.experiment_id == experiment_id, SqlTraceInfo.request_id > last)
                    .order_by(SqlTraceInfo.request_id)
                    .limit(PAGE)
                    .all()
                )
            for (trace_id,) in page:
                last = trace_id
                yield trace_id
            if len(page) < PAGE:
                return


def rows_of(kind: Any) -> tuple[Any, Any]:
    """Returns the columns that say whether, and since when, a run, model or experiment is deleted."""
    since = {"runs": "deleted_time", "logged_models": "last_updated_timestamp_ms", "experiments": "last_update_time"}
    return kind.lifecycle_stage, getattr(kind, since[kind.__tablename__])


def root() -> str:
    """The location of the server's artifacts."""
    return os.environ.get("MLFLOW_ARTIFACTS_DESTINATION") or os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT") or ""


def location(uri: str, identity: str, workspace: str) -> str:
    """Returns the location of artifacts in the store. Raises OutsideStoreError unless it is a folder of this run, model or trace alone."""
    from mlflow.utils.uri import append_to_uri_path

    parsed = urlparse(uri)
    found = uri
    if parsed.scheme == "mlflow-artifacts":
        if parsed.netloc or parsed.params or parsed.query or parsed.fragment:
            raise OutsideStoreError
        # As MLflow does for requests in a workspace.
        path = unquote(parsed.path).strip("/")
        named = path.split("/")[1] if path.startswith("workspaces/") else None
        if workspace != DEFAULT_WORKSPACE and named is None:
            path = f"workspaces/{workspace}/{path}"
        elif workspace != DEFAULT_WORKSPACE and named != workspace:
            raise OutsideStoreError
        found = append_to_uri_path(root(), path)
    resolved, own = urlparse(found), urlparse(root())
    segments = resolved.path.split("/")
    is_own_folder = segments[-2:] == [identity, "artifacts"] and re.fullmatch(r"[A-Za-z0-9_-]{8,}", identity)
    is_plain = not (resolved.params or resolved.query or resolved.fragment or ".." in segments or "\\" in found)
    # The database can be a copy of that of another server, whose runs have the same IDs.
    is_in_store = (
        place_of(resolved) == place_of(own)
        and resolved.path.startswith(f"{own.path.rstrip('/')}/")
        # MLflow decodes the path of a URL of a local file.
        and not (resolved.scheme == "file" and "%" in resolved.path)
    )
    if not (is_own_folder and is_plain and is_in_store):
        raise OutsideStoreError
    return found


def place_of(parsed: ParseResult) -> tuple[str, str]:
    """Returns the kind of store and the bucket."""
    return "file" if parsed.scheme == "" else parsed.scheme, parsed.netloc


def delete_artifacts(uri: str) -> None:
    """Deletes the artifacts in a folder. Raises an error if some are left: a store can reject the deletion of single objects."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(uri)
    problem: Exception | None = None
    try:
        repository.delete_artifacts()
    except Exception as error:
        # Azure reports a folder that does not exist as an error.
        problem = error
    if repository.list_artifacts():
        raise problem or NotDeletedError


def described(error: Exception, uri: str) -> Failure:
    """Returns the reason and message for an exception, from known parts only."""
    if isinstance(error, OutsideStoreError):
        return Failure(
            "GarbageCollectionFailed",
            "Artifacts are not in a folder of their own in the artifact store of this server, so they and their run, model or"
            " experiment are left. Delete the artifacts, and the rest with mlflow gc.",
        )
    if isinstance(error, NotDeletedError):
        return Failure(
            "ArtifactStoreReadOnly",
            "The artifact store does not delete artifacts. Grant the server's credentials the permission to delete objects"
            " (s3:DeleteObject, Storage Object User, Storage Blob Data Contributor).",
        )
    if any(type(each).__module__.startswith("sqlalchemy") for each in migrate.causes(error)):
        return of_database(error, uri)
    reason, code = check_artifacts.classify(error)
    if isinstance(error, PermissionError):
        reason = "ArtifactStoreReadOnly"
    remedy = {
        "ArtifactStoreReadOnly": "Grant the server's credentials the permission to list and delete objects",
        "ArtifactStoreUnreachable": "Check its address, and that network policies let these pods reach it",
        "ArtifactStoreAuthenticationFailed": "Correct the credentials of spec.artifactStore",
    }.get(reason, "Check spec.artifactStore and the policy of the store")
    return Failure(reason, f"The artifact store rejects the deletion of artifacts ({code}). {remedy}.")


def of_database(error: Exception, uri: str) -> Failure:
    target = migrate.store("tracking", uri, "spec.backendStore")
    if migrate.reason_of(error) is not None:
        return migrate.failure(error, target, "Garbage collection")
    kinds = " < ".join(dict.fromkeys(type(each).__name__ for each in migrate.causes(error)))
    return Failure(
        "GarbageCollectionFailed",
        f"Garbage collection in the {target.place} failed with {kinds} at {migrate.origin(error)}.",
    )


def age() -> int:
    """Returns the age in seconds. An empty value must never delete everything."""
    text = os.environ.get("GARBAGE_AGE_SECONDS", "")
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise Failure("ConfigurationInvalid", "GARBAGE_AGE_SECONDS is not a number of seconds.")
    return int(text)


def prepare(uri: str) -> None:
    """Checks the connection and the schema. Raises Failure if MLflow cannot use them: the database must not be migrated here."""
    target = migrate.store("tracking", uri, "spec.backendStore")
    message = f"Connecting: the {target.place} {migrate.REMEDIES['DatabaseUnreachable']}"
    with migrate.phase("connect", Failure("DatabaseUnreachable", message)):
        migrate.connect(target)
    try:
        present, head = migrate.revisions(target)
    except Exception as error:
        raise described(error, uri) from None
    if present != [head]:
        raise Failure(
            "GarbageCollectionFailed",
            f"The schema in the {target.place} is at revision {', '.join(present) or 'none'}, and this MLflow needs {head}:"
            " the migration has not run, or a newer MLflow has. Nothing was deleted. The next run tries again.",
        )


def report(counts: Counts | None, failure: Failure | None) -> NoReturn:
    result: dict[str, object] = {} if counts is None else asdict(counts)
    if failure is not None:
        result |= {"reason": failure.reason, "message": failure.message[:MESSAGE_LENGTH]}
    line = json.dumps(result)
    print(line, file=OUT if failure is None else ERR, flush=True)
    with contextlib.suppress(OSError):
        Path(os.environ.get("TERMINATION_LOG") or "/dev/termination-log").write_text(f"{line}\n", encoding="utf-8")
    if failure is None:
        succeed()
    os._exit(1)


def main() -> NoReturn:
    end_on_sigterm()
    migrate.log_steps()
    os.environ.update({"AWS_MAX_ATTEMPTS": "3", "AWS_RETRY_MODE": "standard"})
    collector: Collector | None = None
    uri = os.environ.get("MLFLOW_BACKEND_STORE_URI", "")
    try:
        seconds = age()
        prepare(uri)
        migrate.limit_transactions()
        collector = Collector(uri, seconds, os.environ.get("GARBAGE_DRY_RUN") == "true")
        collector.collect()
    except Failure as result:
        report(None if collector is None else collector.counts, result)
    except Exception as error:
        report(None if collector is None else collector.counts, described(error, uri))
    report(collector.counts, collector.failure)


if __name__ == "__main__":
    main()

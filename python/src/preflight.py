"""Checks, with the image of another version of MLflow, that a server can be changed to it, while the previous version serves.

Runs in the new image before approval, before pods are stopped and before the migration. It changes nothing, so it can be ended and repeated at any time:
- the image starts Python, has the wanted version of MLflow, and imports the server, its database drivers and the plugins;
- each database is reachable, accepts the credentials, and has a schema that this MLflow knows and can migrate;
- no old transaction holds locks on its tables, for which the migration would wait (PostgreSQL, MySQL);
- the user can change the tables (PostgreSQL), and the volume has space for the copy that is migrated (SQLite).

Environment: as for migrate.py, without the administrator, and
  PREFLIGHT_VERSION              the version of MLflow that the image must have
  PREFLIGHT_TRANSACTION_SECONDS  the age from which a transaction that holds locks is reported; default 60
Without TRACKING_DATABASE_URI and TRACKING_DATABASE_HOST only the image is checked.

Exit code 0: the change can begin. Exit code 1: one line of JSON, {"reason", "message"}, as for migrate.py. Reasons are those of migrate.py and
PreflightFailed.
"""

from __future__ import annotations

import os
import re
import signal
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import migrate
from mlflow_outcome import Failure, completed, log, succeed

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

# What `mlflow server` imports when it starts.
SERVER_MODULES = ("mlflow.server", "mlflow.server.handlers", "mlflow.server.fastapi_app", "mlflow.store.db.utils")
TRANSACTION_SECONDS = 60


def load() -> None:
    """Imports what the server imports. Raises Failure if the image is not one of this version, or lacks a package."""
    for name in SERVER_MODULES:
        load_module(name)
    require_version()
    migrate.require_packages()
    for name in filter(None, os.environ.get("MIGRATION_PACKAGES", "").split(",")):
        load_module(name)


def load_module(name: str) -> None:
    try:
        import_module(name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) and error.name else None
        what = f"the package {missing}, which it does not contain" if missing else f"{name} ({type(error).__name__})"
        raise Failure(
            "UnsupportedImage",
            f"The MLflow image cannot import {what}, so the server would not start. Use the project's image, or repair yours.",
        ) from None


def require_version() -> None:
    import mlflow

    wanted = os.environ.get("PREFLIGHT_VERSION", "")
    # A build of one's own can have a local part, such as 3.17.2+team.
    found = str(mlflow.__version__).partition("+")[0]
    if wanted and found != wanted:
        shown = re.sub(r"[^A-Za-z0-9.]", "?", found)[:40]
        raise Failure(
            "UnsupportedImage",
            f"The MLflow image contains MLflow {shown}, and spec.version is {wanted}. Set spec.version to the version of the image, or"
            " spec.image to an image of this version.",
        )


def check(target: migrate.Store) -> None:
    """Checks one database. Raises an exception that migrate.failure describes."""
    present, head = migrate.revisions(target)
    log(f"{target.name}: schema is at {', '.join(present) or 'none'}, this MLflow needs {head}")
    if migrate.checking():
        migrate.require_current(target, present, head)
    if present == [head] or migrate.checking():
        return
    migrate.require_space(target)
    if target.backend in ("postgresql", "mysql"):
        with migrate.engine(target) as database, database.connect() as connection:
            if target.backend == "postgresql":
                require_privileges(target, connection)
                require_no_transactions(target, connection, POSTGRESQL_TRANSACTIONS)
            elif is_readable(connection):
                require_no_transactions(target, connection, MYSQL_TRANSACTIONS)


def is_readable(connection: Connection) -> bool:
    """Whether the user of a MySQL database can see its transactions: only with the privilege PROCESS."""
    try:
        connection.exec_driver_sql("SELECT 1 FROM information_schema.innodb_trx LIMIT 1").fetchall()
    except Exception:
        log("transactions are not checked: the user has no privilege PROCESS")
        return False
    return True


def require_privileges(target: migrate.Store, connection: Connection) -> None:
    """Raises Failure if the user does not own MLflow's tables, or cannot create tables."""
    from sqlalchemy import text

    tables = tables_of(target)
    others = connection.execute(
        text(
            "SELECT c.relname, pg_catalog.pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c"
            " WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p')"
            " AND c.relname = ANY(:tables) AND NOT pg_has_role(c.relowner, 'USAGE') ORDER BY 1"
        ),
        {"tables": tables},
    ).fetchall()
    may_create = connection.execute(text("SELECT has_schema_privilege(current_schema(), 'CREATE')")).scalar()
    if may_create and not others:
        return
    what = (
        f"table {shown(others[0][0])} belongs to {shown(others[0][1])}"
        if others
        else "the user cannot create tables in its schema"
    )
    raise Failure(
        "DatabasePermissionDenied",
        f"The {target.name} schema cannot be migrated ({what}): the {target.place} {migrate.REMEDIES['DatabasePermissionDenied']}.",
    )


def tables_of(target: migrate.Store) -> list[str]:
    """Returns the names of the tables of a schema."""
    if target.name == "tracking":
        from mlflow.store.db.base_sql_model import Base

        return sorted(Base.metadata.tables)
    if target.name == "auth":
        from mlflow.server.auth.db.models import Base as AuthBase

        return sorted(AuthBase.metadata.tables)
    return []


# Each returns: the session, its user, what it is, the age of its transaction in seconds.
POSTGRESQL_TRANSACTIONS = (
    "SELECT a.pid, a.usename, coalesce(nullif(a.application_name, ''), a.state),"
    " CAST(extract(epoch FROM now() - a.xact_start) AS integer) FROM pg_catalog.pg_stat_activity a"
    " WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start < now() - make_interval(secs => :seconds)"
    " AND a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation"
    " WHERE l.granted AND c.relname = ANY(:tables)) ORDER BY 4 DESC LIMIT 3"
)
MYSQL_TRANSACTIONS = (
    "SELECT t.trx_mysql_thread_id, p.user, p.command, TIMESTAMPDIFF(SECOND, t.trx_started, NOW())"
    " FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id"
    " WHERE p.db = DATABASE() AND p.id <> CONNECTION_ID() AND t.trx_started < NOW() - INTERVAL :seconds SECOND ORDER BY 4 DESC LIMIT 3"
)
END_SESSION = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}


def require_no_transactions(target: migrate.Store, connection: Connection, statement: str) -> None:
    """Raises Failure if the migration would wait for a transaction that has lasted for a while."""
    from sqlalchemy import text

    seconds = int(os.environ.get("PREFLIGHT_TRANSACTION_SECONDS") or TRANSACTION_SECONDS)
    values: dict[str, object] = {"seconds": seconds}
    if target.backend == "postgresql":
        values["tables"] = tables_of(target)
    found = connection.execute(text(statement), values).fetchall()
    if not found:
        return
    sessions = "; ".join(
        f"{int(session)} (user {shown(user)}, {shown(kind)}, for {int(age)} s)" for session, user, kind, age in found
    )
    raise Failure(
        "DatabaseLocked",
        f"The {target.place} has transactions that have lasted for more than {seconds} s and hold locks on MLflow's tables, so the"
        f" migration would wait for them. Nothing was changed. Sessions: {sessions}. Wait until they end, or end them:"
        f" {END_SESSION[target.backend].format(int(found[0][0]))}.",
    )


def shown(value: object) -> str:
    return re.sub(r"[^A-Za-z0-9_.@ -]", "?", str(value or "unknown"))[:40]


def preflight() -> None:
    with migrate.phase(
        "load",
        Failure("MigrationTimeout", "Loading MLflow takes too long. Check the CPU limit of the pod and the image."),
    ):
        load()
    if not (os.environ.get("TRACKING_DATABASE_URI") or os.environ.get("TRACKING_DATABASE_HOST")):
        log("the databases are not checked")
        return
    targets = migrate.stores()
    if targets[-1].name == "auth":
        with migrate.phase("load", Failure("MigrationTimeout", "Loading mlflow.server.auth takes too long.")):
            load_module("mlflow.server.auth")
    for target in targets:
        if target.sqlite_path is not None and not os.path.exists(target.sqlite_path):
            # The migration creates it.
            log(f"{target.name}: the {target.place} does not exist yet")
            continue
        message = f"Connecting: the {target.place} {migrate.REMEDIES['DatabaseUnreachable']}"
        with migrate.phase("connect", Failure("DatabaseUnreachable", message)):
            migrate.connect(target)
        message = f"Checking: the {target.place} does not answer. End the sessions that block the database"
        with migrate.phase("inspect", Failure("DatabaseTimeout", message)):
            try:
                check(target)
            except Exception as error:
                raise migrate.failure(error, target, f"Checking the {target.name} schema") from None


def main() -> NoReturn:
    signal.signal(signal.SIGTERM, migrate.end)
    migrate.log_steps()
    completed(
        preflight,
        lambda error: Failure(
            "PreflightFailed",
            f"The preflight program failed with {type(error).__name__} at {migrate.origin(error)}.",
        ),
    )
    log("the change can begin")
    succeed()


if __name__ == "__main__":
    main()

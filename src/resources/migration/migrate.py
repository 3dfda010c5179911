"""Brings the databases of an MLflow server to the schema of the installed MLflow.

Runs in the MLflow image before the server's pods start, so that any number of replicas may start at once afterwards:
it makes everything that MLflow itself makes at its first start (tables, the Default experiment, the first admin).
It is idempotent, and of several instances at work on one database all but one wait.

It runs in phases. Each but the migration itself has a deadline, after which the program fails with a reason and is started
again by the kubelet. The migration itself is never cut off: SIGTERM ends the program at once in every other phase, and after
the schema at work in this one. PostgreSQL rolls a failed migration back. SQLite cannot, so a copy of the file is migrated,
and then written back in one transaction.

Environment:
  MIGRATION_MODE                "upgrade" (default) or "check": only look whether the schemas are those of this MLflow
  TRACKING_DATABASE_URI         the tracking database; or in parts, so that no one else has to put a password into a URI:
  TRACKING_DATABASE_HOST, _PORT, _NAME, _USERNAME, _PASSWORD, _SSLMODE, _SSLROOTCERT
                                a PostgreSQL database
  AUTH_DATABASE_URI, AUTH_DATABASE_HOST, …
                                the database of basic authentication, likewise; absent or empty: no authentication
  AUTH_APPLICATION              what keeps users in that database: "basic-auth" (default) or "oidc-auth", the plugin for OpenID Connect
  MIGRATION_PACKAGES            Python packages that the image must have, besides, with commas between them
  MLFLOW_SERVE_ARTIFACTS, MLFLOW_DEFAULT_ARTIFACT_ROOT, MLFLOW_ENABLE_WORKSPACES
                                the same as the server's: the Default experiment keeps the artifact root of its creation
  MLFLOW_AUTH_ADMIN_USERNAME, MLFLOW_AUTH_ADMIN_PASSWORD
                                the admin that is made unless a user of that name exists
  MIGRATION_TERMINATION_LOG     where the failure is reported; default /dev/termination-log
  MIGRATION_LOCK_SECONDS        how long to wait for another instance; default 600
  MIGRATION_LOAD_SECONDS, MIGRATION_CONNECT_SECONDS, MIGRATION_INSPECT_SECONDS, MIGRATION_WRITE_BACK_SECONDS
                                the deadlines of other phases; default: see DEADLINES

Exit code 0: the schemas are current. Exit code 1: one line of JSON, {"reason", "message"}, is in the termination log and
on stderr. Reasons: ConfigurationInvalid, UnsupportedImage, DriverMissing, DatabaseUnreachable, DatabaseRejected,
DatabaseAuthenticationFailed, DatabaseNotFound, DatabasePermissionDenied, DatabaseReadOnly, DatabaseFull,
DatabaseLocked, DatabaseTimeout, MigrationTimeout, DatabaseTooNew, TLSVerificationFailed, AdminPasswordRejected, ManualMigrationNeeded, MigrationBusy,
MigrationFailed.

No URL, password or text of an exception is ever written, for drivers quote what they were given; messages are made of
the parsed host, port, database and user, of SQLSTATEs, and of class names.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import shutil
import signal
import socket
import sqlite3
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

OUT = sys.stdout
ERR = sys.stderr
DIALECTS = ("postgresql", "mysql", "mssql", "sqlite")
CONNECT_SECONDS = 10
CONNECT_ATTEMPTS = 3
# What a new SQLite database takes, several times over.
SQLITE_SPARE = 16 << 20
# A copy of an SQLite database that is being migrated, beside it.
COPY_SUFFIX = ".migrating"
# How often a copy is made again because the database was written to after the copy was made.
COPY_ATTEMPTS = 5
# So long a statement waits for a lock in PostgreSQL. Everything that comes later to the same table waits behind it.
LOCK_TIMEOUT_SECONDS = 5
# Seconds between attempts that end for the want of a lock. Then the program fails, and the kubelet starts it again.
LOCK_PAUSES = (5, 10)
# Seconds that a phase may take.
DEADLINES = {"load": 300, "connect": 180, "inspect": 120, "write back": 300}
# Advisory locks live in one database, so the key needs to tell only the two schemas apart.
LOCK_KEYS = {"tracking": 0x6D6C666C6F770001, "auth": 0x6D6C666C6F770002, "oidc": 0x6D6C666C6F770003}
# Not the plugin's default, which is also MLflow's own: the two could not share a database.
OIDC_VERSION_TABLE = "alembic_version_oidc"

SQLSTATES = {
    "28000": "DatabaseAuthenticationFailed",
    "28P01": "DatabaseAuthenticationFailed",
    "3D000": "DatabaseNotFound",
    "42501": "DatabasePermissionDenied",
    "25006": "DatabaseReadOnly",
    "53100": "DatabaseFull",
    "53300": "DatabaseUnreachable",
    "55P03": "DatabaseLocked",
    "57014": "DatabaseTimeout",
    "57P01": "DatabaseUnreachable",
    "57P02": "DatabaseUnreachable",
    "57P03": "DatabaseUnreachable",
}
MYSQL_CODES = {
    1044: "DatabasePermissionDenied",
    1045: "DatabaseAuthenticationFailed",
    1049: "DatabaseNotFound",
    1142: "DatabasePermissionDenied",
    1227: "DatabasePermissionDenied",
    1290: "DatabaseReadOnly",
    1836: "DatabaseReadOnly",
    2003: "DatabaseUnreachable",
    2006: "DatabaseUnreachable",
    2013: "DatabaseUnreachable",
    2026: "TLSVerificationFailed",
}
SQLITE_NAMES = {
    "SQLITE_CANTOPEN": "DatabaseNotFound",
    "SQLITE_PERM": "DatabasePermissionDenied",
    "SQLITE_READONLY": "DatabaseReadOnly",
    "SQLITE_FULL": "DatabaseFull",
    "SQLITE_BUSY": "MigrationBusy",
    "SQLITE_LOCKED": "MigrationBusy",
    "SQLITE_NOTADB": "DatabaseRejected",
    "SQLITE_CORRUPT": "DatabaseRejected",
}
FILE_ERRORS = {
    errno.EACCES: "DatabasePermissionDenied",
    errno.EPERM: "DatabasePermissionDenied",
    errno.ENOENT: "DatabaseNotFound",
    errno.ENOTDIR: "DatabaseNotFound",
    errno.EROFS: "DatabaseReadOnly",
    errno.ENOSPC: "DatabaseFull",
    errno.EDQUOT: "DatabaseFull",
}
# libpq reports a refused connection as text only, without an SQLSTATE.
CONNECT_TEXTS = (
    (r"invalid \w+ value|invalid connection option|invalid dsn", "ConfigurationInvalid"),
    (r'database "" does not exist', "DatabaseNotFound"),
    (r"permission denied for database", "DatabasePermissionDenied"),
    (
        r'authentication failed|no password supplied|role "" does not exist|pg_hba\.conf|not permitted to log in',
        "DatabaseAuthenticationFailed",
    ),
    (r"certificate|\bssl\b|\btls\b", "TLSVerificationFailed"),
    (
        r"starting up|shutting down|recovery mode|too many clients|connection slots|too many connections"
        r"|refused|timeout|timed out|translate host name|resolve host|closed the connection|unreachable|no route",
        "DatabaseUnreachable",
    ),
)
REMEDIES = {
    "ConfigurationInvalid": "was given a parameter that its client does not know. Check the names and values behind the '?' of"
    " the URI, such as sslmode and sslrootcert",
    "DatabaseUnreachable": "did not answer or is not ready. Check host and port, that the database runs and has"
    " connections to spare, and that network policies let these pods reach it",
    "DatabaseRejected": "refused the connection for a reason that it did not encode. Check its log for this moment, and"
    " user, password, database name and TLS mode",
    "DatabaseAuthenticationFailed": "does not accept this user with this password. Check both in the Secret, and that"
    " the server's pg_hba.conf admits the user from here with this TLS mode",
    "DatabaseNotFound": "does not exist. Create the database, or mend its name or path",
    "DatabasePermissionDenied": "does not give this user the rights that a migration needs. Make the user the owner of the"
    " database, or grant it CONNECT on the database and USAGE and CREATE on its schema (PostgreSQL 15 no"
    " longer grants CREATE on schema public to everybody), and make it the owner of existing MLflow tables",
    "DatabaseReadOnly": "is read-only. Name the primary, not a replica, and mount a volume that can be written",
    "DatabaseFull": "has no space left. Enlarge its storage",
    "DatabaseLocked": "has sessions that hold locks on MLflow's tables, so they cannot be changed. Nothing was changed, and it"
    " is tried again. End long transactions and queries, such as backups, if they do not end by themselves",
    "DatabaseTimeout": "cancelled a statement because of a timeout (statement_timeout or lock_timeout). Raise it for this"
    " user, and end the sessions that hold locks on MLflow's tables",
    "TLSVerificationFailed": "could not be reached by verified TLS. Check that it offers TLS, that its certificate is"
    " signed by the given CA and carries this host name, and that the CA file is there",
}
SQLITE_REMEDIES = {
    "DatabaseNotFound": "cannot be opened. Check that a volume is mounted there and that the pod's user may write to it",
    "DatabasePermissionDenied": "may not be opened by the pod's user. Check the owner of its files and the pod's fsGroup",
    "DatabaseReadOnly": "cannot be written. Check the owner of its files, the pod's fsGroup, and how its volume is mounted",
    "DatabaseFull": "has no space left. Enlarge its volume",
    "DatabaseRejected": "is not an SQLite database or is damaged. Name another file, or restore a backup",
    "MigrationBusy": "is locked by another program. Nothing was changed, and it is tried again. End that program",
}


@dataclass
class Failure(Exception):
    """An end that a person can mend: a reason from the list above and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True)
class Store:
    """One schema in one database; `uri` is a secret."""

    name: str
    uri: str
    place: str
    host: str | None
    port: int | None
    sqlite_path: str | None
    backend: str


def say(line: str) -> None:
    print(line, file=OUT, flush=True)


def configuration_error(text: str) -> Failure:
    return Failure("ConfigurationInvalid", text)


def store(name: str, uri: str, source: str) -> Store:
    """Parses a database URI without ever quoting it. Raises Failure when a part of the password could end up in a name."""
    from sqlalchemy.engine import make_url

    remedy = f"The database URI in {source} is not valid: write dialect://user:password@host:port/database"
    try:
        url = make_url(uri)
        backend = url.get_backend_name()
        port = url.port
    except Exception:
        raise configuration_error(f"{remedy}, with user and password percent-encoded.") from None
    if backend not in DIALECTS:
        raise configuration_error(f"{remedy} with the dialect {', '.join(DIALECTS[:-1])} or {DIALECTS[-1]}.")
    if backend == "sqlite":
        path = url.database or ":memory:"
        on_disk = path != ":memory:" and not path.startswith("file:")
        return Store(name, uri, f"SQLite database {path}", None, None, path if on_disk else None, backend)
    if uri.split("?")[0].count("@") > 1 or not re.fullmatch(r"[A-Za-z0-9._:,-]*", url.host or ""):
        raise configuration_error(f"{remedy}; user and password must be percent-encoded ('@' is %40, '/' is %2F).")
    default_port = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}.get(backend)
    server = f"{url.host}:{port or default_port}" if url.host else "the server of its query parameters"
    place = f'{backend} database "{url.database or ""}" on {server} as user "{url.username or ""}"'
    single = url.host if url.host and "," not in url.host else None
    return Store(name, uri, place, single, port or default_port, None, backend)


def database_uri(role: str) -> str:
    """The URI of a database, as it is given or made of its parts; empty where there is none. Secret."""
    from sqlalchemy.engine import URL

    def given(part: str) -> str:
        return os.environ.get(f"{role}_DATABASE_{part}", "")

    if given("URI") or not given("HOST"):
        return given("URI")
    query = {name: given(name.upper()) for name in ("sslmode", "sslrootcert") if given(name.upper())}
    port = given("PORT") or "5432"
    if not re.fullmatch(r"[0-9]{1,5}", port):
        raise configuration_error(f"{role}_DATABASE_PORT is not a number.")
    url = URL.create(
        "postgresql+psycopg2", given("USERNAME"), given("PASSWORD"), given("HOST"), int(port), given("NAME"), query
    )
    return url.render_as_string(hide_password=False)


def stores() -> list[Store]:
    """The tracking schema first, then that of users, if any."""
    tracking = database_uri("TRACKING")
    if not tracking:
        raise configuration_error("TRACKING_DATABASE_URI is empty: set it to the URI of the tracking database.")
    found = [store("tracking", tracking, "TRACKING_DATABASE_URI")]
    if auth := database_uri("AUTH"):
        name = "oidc" if os.environ.get("AUTH_APPLICATION") == "oidc-auth" else "auth"
        found.append(store(name, auth, "AUTH_DATABASE_URI"))
    return found


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made from, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        original = getattr(current, "orig", None)
        current = original if isinstance(original, BaseException) else current.__cause__ or current.__context__


def sqlstate(error: BaseException) -> str | None:
    for cause in causes(error):
        code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        if isinstance(code, str):
            return code
    return None


def reason_of(error: BaseException) -> str | None:
    """The stable reason of a database error by its code; by its text only where libpq gives no code (no connection)."""
    code = sqlstate(error)
    if code is not None:
        return SQLSTATES.get(code, "DatabaseUnreachable" if code.startswith("08") else None)
    for cause in causes(error):
        name = getattr(cause, "sqlite_errorname", None)
        if isinstance(name, str):
            return next((reason for key, reason in SQLITE_NAMES.items() if name.startswith(key)), None)
        if type(cause).__module__.split(".")[0] in ("pymysql", "MySQLdb") and cause.args:
            return MYSQL_CODES.get(cause.args[0]) if isinstance(cause.args[0], int) else None
        if type(cause).__module__.split(".")[0] in ("psycopg", "psycopg2"):
            # Names are taken out, or a database called "my-ssl" would pass for a fault of TLS.
            text = re.sub(r'"[^"]*"', '""', str(cause).lower())
            return next((reason for pattern, reason in CONNECT_TEXTS if re.search(pattern, text)), None)
        if isinstance(cause, OSError) and cause.errno in FILE_ERRORS:
            return FILE_ERRORS[cause.errno]
    return None


def origin(error: BaseException) -> str:
    """The innermost place in MLflow or here that an exception came from: names of files, no values."""
    frames = [frame for cause in causes(error) for frame in traceback.extract_tb(cause.__traceback__)]
    files = [(frame.filename.rpartition("site-packages/")[2], frame.lineno) for frame in frames]
    ours = [(file, line) for file, line in files if file.startswith("mlflow/") or file == __file__]
    return f"{ours[-1][0]}:{ours[-1][1]}" if ours else "an unknown place"


def failure(error: BaseException, target: Store, action: str, connecting: bool = False) -> Failure:
    """What to tell a person about an exception, made of known parts only."""
    for cause in causes(error):
        if isinstance(cause, Failure):
            return cause
        if isinstance(cause, ModuleNotFoundError) or type(cause).__name__ == "NoSuchModuleError":
            return Failure(
                "DriverMissing" if connecting else "UnsupportedImage",
                f"{action} on the {target.place} needs a Python package that the MLflow image does not have"
                f"{f' ({cause.name})' if isinstance(cause, ModuleNotFoundError) and cause.name else ''}. Use an image that has"
                " the driver named by the URI's dialect, and MLflow with its 'auth' extra for basic authentication.",
            )
    reason = reason_of(error) or ("DatabaseRejected" if connecting else None)
    code = sqlstate(error)
    coded = f" (SQLSTATE {code})" if code else ""
    if reason is not None:
        remedy = SQLITE_REMEDIES.get(reason) if target.backend == "sqlite" else REMEDIES.get(reason)
        return Failure(reason, f"{action}: the {target.place} {remedy or REMEDIES['DatabaseRejected']}{coded}.")
    kinds = " < ".join(dict.fromkeys(type(cause).__name__ for cause in causes(error)))
    left = {
        "postgresql": "PostgreSQL has rolled it back.",
        "sqlite": "The database is unchanged: a copy was migrated.",
    }.get(target.backend, "The schema may be changed in part: restore the backup if it fails again.")
    return Failure(
        "MigrationFailed",
        f"{action} on the {target.place} failed with {kinds}{coded} at {origin(error)}. {left}"
        " Look for this error in MLflow's release notes and issues.",
    )


class Work:
    """Whether a schema is being changed, and whether the program was told to end meanwhile."""

    is_changing = False
    is_ending = False


def end(*_: object) -> None:
    """On SIGTERM: at once, but never in the middle of a change."""
    if Work.is_changing:
        Work.is_ending = True
    else:
        os._exit(143)


@contextlib.contextmanager
def changing() -> Iterator[None]:
    Work.is_changing = True
    try:
        yield
    finally:
        Work.is_changing = False
        if Work.is_ending:
            os._exit(143)


def seconds_of(name: str) -> float:
    return float(os.environ.get(f"MIGRATION_{name.upper().replace(' ', '_')}_SECONDS") or DEADLINES[name])


@contextlib.contextmanager
def phase(name: str, told: Failure) -> Iterator[None]:
    """Fails the program where the block does not end in time, whatever it is waiting for."""
    seconds = seconds_of(name)
    late = Failure(told.reason, f"{told.message.rstrip('.')} (no end after {seconds:g} s).")
    timer = threading.Timer(seconds, give_up, [late])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def limit_transactions() -> None:
    """Has each transaction in PostgreSQL wait for locks for a short time only, and has nothing else of the user's limits cut it off.

    Per transaction, since poolers give each one another session.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Connection, Engine

    def limit(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                f"SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN '{LOCK_TIMEOUT_SECONDS}s' ELSE '0' END, true)"
                " FROM pg_catalog.pg_settings WHERE name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout',"
                " 'idle_in_transaction_session_timeout')"
            )

    event.listen(Engine, "begin", limit)


def lock_holders(target: Store) -> str:
    """The oldest sessions that hold locks on tables of a PostgreSQL database, for people; without their queries."""
    from sqlalchemy import text

    statement = (
        "SELECT a.pid, a.usename, a.application_name, a.state,"
        " CAST(extract(epoch FROM now() - coalesce(a.xact_start, a.backend_start)) AS integer)"
        " FROM pg_catalog.pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.pid IN ("
        " SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE l.granted AND c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema'))"
        " ORDER BY 5 DESC LIMIT 3"
    )
    shown = []
    with contextlib.suppress(Exception), engine(target) as database, database.connect() as connection:
        for pid, user, application, state, seconds in connection.execute(text(statement)):
            details = [f"user {user}", application, state, f"for {seconds} s"]
            words = ", ".join(re.sub(r"[^A-Za-z0-9_.@ -]", "?", str(each))[:40] for each in details if each)
            shown.append(f"{int(pid)} ({words})")
    if not shown:
        return ""
    return f" Sessions: {'; '.join(shown)}. To end one: SELECT pg_terminate_backend({shown[0].split(' ')[0]})."


def reach(target: Store) -> None:
    """Opens a TCP connection, so that an unknown host and a closed port are told apart for every driver."""
    if checking() and target.sqlite_path is not None and not os.path.exists(target.sqlite_path):
        raise manual(f"The {target.place} does not exist yet.")
    if target.host is None:
        return
    try:
        socket.create_connection((target.host, target.port), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        kind = "its host name does not resolve" if isinstance(error, socket.gaierror) else type(error).__name__
        raise Failure(
            "DatabaseUnreachable", f"Connecting: the {target.place} ({kind}) {REMEDIES['DatabaseUnreachable']}."
        ) from None


def connect(target: Store) -> None:
    """Proves that the server lets us in. What may pass by itself is tried a few times."""
    from sqlalchemy import text

    for attempt in range(1, CONNECT_ATTEMPTS + 1):
        try:
            reach(target)
            with engine(target) as database, database.connect() as connection:
                connection.execute(text("SELECT 1"))
            say(f"{target.name}: connected to the {target.place}")
            return
        except Exception as error:
            told = failure(error, target, "Connecting", connecting=True)
            if told.reason != "DatabaseUnreachable" or attempt == CONNECT_ATTEMPTS:
                raise told from None
            say(f"{target.name}: attempt {attempt} of {CONNECT_ATTEMPTS} did not reach the {target.place}")
            time.sleep(2 * attempt)


@contextlib.contextmanager
def engine(target: Store) -> Iterator:
    """An engine made by MLflow, so that what is checked is what the server will use."""
    from mlflow.store.db.utils import _make_parent_dirs_if_sqlite, create_sqlalchemy_engine

    if target.sqlite_path is not None and not checking():
        _make_parent_dirs_if_sqlite(target.uri)
    made = create_sqlalchemy_engine(target.uri)
    try:
        yield made
    finally:
        with contextlib.suppress(Exception):
            made.dispose()


@contextlib.contextmanager
def lock(target: Store) -> Iterator[None]:
    """Holds the schema for this instance alone. The database (or the kernel) frees it however this process ends."""
    deadline = time.monotonic() + float(os.environ.get("MIGRATION_LOCK_SECONDS") or "600")

    def wait(told: bool) -> bool:
        if time.monotonic() > deadline:
            raise Failure(
                "MigrationBusy",
                f"Another migration holds the lock on the {target.place}. It is tried again; if no other migration"
                " runs, end the database session that holds the advisory lock.",
            )
        if not told:
            say(f"{target.name}: waiting for another migration")
        time.sleep(1)
        return True

    told = False
    if target.sqlite_path is not None:
        with open(f"{target.sqlite_path}.migration-lock", "a+", encoding="utf-8") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    told = wait(told)
            yield
        return
    from sqlalchemy import text

    with engine(target) as database:
        connection = database.connect()
        try:
            if target.backend == "postgresql":
                # A lock of the transaction, not of the session: it also holds behind a pooler in transaction mode.
                statement = f"SELECT pg_try_advisory_xact_lock({LOCK_KEYS[target.name]})"
            elif target.backend == "mysql":
                statement = f"SELECT GET_LOCK(CONCAT('mlflow-{target.name}-', MD5(DATABASE())), 0)"
            else:
                statement = "SELECT 1"
            while not connection.execute(text(statement)).scalar():
                told = wait(told)
            yield
        finally:
            # A connection that broke while it waited must not turn a finished migration into a failed one.
            with contextlib.suppress(Exception):
                connection.close()


def is_empty(target: Store) -> bool:
    """Whether an SQLite database holds nothing at all, not even a table."""
    path = target.sqlite_path
    if path is None or not os.path.exists(path) or os.path.getsize(path) == 0:
        return path is not None
    # What was cut off while it was written from nothing is rolled back by opening it.
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0


def require_space(target: Store) -> None:
    """Raises Failure where the volume may become full: it takes a copy, and the journal while that is written back."""
    if target.sqlite_path is None:
        return
    size = 0 if is_empty(target) else os.path.getsize(target.sqlite_path)
    needed = 2 * size + SQLITE_SPARE
    free = shutil.disk_usage(os.path.dirname(target.sqlite_path) or ".").free
    if free < needed:
        raise Failure(
            "DatabaseFull",
            f"Migrating the {target.name} schema: a copy of the {target.place} is migrated, which may need {needed >> 20} MiB of free"
            f" space, and its volume has {free >> 20}. Enlarge its volume.",
        )


def remove_copy(target: Store) -> None:
    """Removes the copy of an SQLite database, also that of an attempt that was cut off."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        Path(f"{target.sqlite_path}{COPY_SUFFIX}{suffix}").unlink(missing_ok=True)


class ChangedMeanwhile(Exception):
    """The database was written to after its copy was made."""


def migrate_copy(target: Store, head: str) -> None:
    """Brings an SQLite database to the newest schema, all or nothing.

    A copy is migrated while the database is locked against writers, and then written back into the same file in one
    transaction of SQLite's: a server that has the file open neither loses what it writes nor sees half a schema. Whatever is
    cut off leaves the database as it was; a copy that is left over is removed by the next attempt.
    """
    from sqlalchemy.engine import make_url

    hurry_copies()
    path = target.sqlite_path or ""
    place = f"{path}{COPY_SUFFIX}"
    uri = make_url(target.uri).set(database=place).render_as_string(hide_password=False)
    copy = replace(target, uri=uri, sqlite_path=place)
    for attempt in range(1, COPY_ATTEMPTS + 1):
        remove_copy(target)
        require_space(target)
        try:
            with (
                contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as writers,
                contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as reader,
            ):
                writers.execute("BEGIN IMMEDIATE")
                version = content_version(path, reader)
                before = version()
                with contextlib.closing(sqlite3.connect(place)) as made:
                    reader.backup(made)
                say(f"{target.name}: copied, and locked against writers")
                MIGRATIONS[target.name](copy)
                require_sound(copy, head)
                say(f"{target.name}: the copy is migrated")
                writers.execute("ROLLBACK")
                write_back(copy, path, lambda: version() == before)
            break
        except ChangedMeanwhile:
            if attempt == COPY_ATTEMPTS:
                raise sqlite3_busy(target) from None
            say(f"{target.name}: written to after it was copied, attempt {attempt} of {COPY_ATTEMPTS}")
    remove_copy(target)


def hurry_copies() -> None:
    """Writes copies without waiting for the disk: one that is lost is made again."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def hurry(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            files = [row[2] for row in connection.execute("PRAGMA database_list").fetchall()]
            if any(str(file).endswith(COPY_SUFFIX) for file in files):
                connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hurry)


def require_sound(copy: Store, head: str) -> None:
    with contextlib.closing(sqlite3.connect(copy.sqlite_path or "")) as connection:
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    found, _ = revisions(copy)
    if problem != "ok" or found != [head]:
        raise Failure("MigrationFailed", f"Migrating the {copy.name} schema: the migrated copy of the {copy.place} is not sound.")


def sqlite3_busy(target: Store) -> Failure:
    return Failure("MigrationBusy", f"Migrating the {target.name} schema: the {target.place} {SQLITE_REMEDIES['MigrationBusy']}.")


def content_version(path: str, reader: sqlite3.Connection) -> Callable[[], object]:
    """What changes with each change of an SQLite database by others, also where another connection of ours locks it."""
    if reader.execute("PRAGMA journal_mode").fetchall() == [("wal",)]:
        return lambda: reader.execute("PRAGMA data_version").fetchall()
    # The change counter in its header. Never closed: that would release every lock of this process on the file.
    file = os.open(path, os.O_RDONLY)
    return lambda: os.pread(file, 4, 24)


def write_back(copy: Store, path: str, is_unchanged: Callable[[], bool]) -> None:
    """Replaces the content of the database by that of the copy. Raises ChangedMeanwhile where it is not what was copied."""
    deadline = time.monotonic() + seconds_of("write back")
    is_checked = False

    def checked(_status: int, remaining: int, total: int) -> None:
        nonlocal is_checked
        if time.monotonic() > deadline:
            raise sqlite3_busy(copy)
        # From the first page on it holds the lock against others, and so few pages are not written to the file yet.
        if remaining < total and not is_checked:
            if not is_unchanged():
                raise ChangedMeanwhile
            is_checked = True

    with (
        contextlib.closing(sqlite3.connect(copy.sqlite_path or "")) as source,
        contextlib.closing(sqlite3.connect(path, timeout=30)) as database,
    ):
        # The last step also commits, so there must be one before it.
        pages = min(64, max(1, source.execute("PRAGMA page_count").fetchone()[0] // 2))
        source.backup(database, pages=pages, progress=checked, sleep=0.05)


def revisions(target: Store) -> tuple[list[str], str]:
    """The revisions in the database and the newest that this MLflow knows. Raises Failure for one that it does not know."""
    import mlflow
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    if target.name == "tracking":
        from mlflow.store.db.utils import _get_alembic_config

        options: dict[str, str] = {}
    elif target.name == "oidc":
        from mlflow_oidc_auth.db.utils import _get_alembic_config

        options = {"version_table": OIDC_VERSION_TABLE}
    else:
        from mlflow.server.auth.db.utils import _get_alembic_config

        options = {"version_table": "alembic_version_auth"}
    scripts = ScriptDirectory.from_config(_get_alembic_config(""))
    with engine(target) as database, database.connect() as connection:
        present = sorted(MigrationContext.configure(connection, opts=options).get_current_heads())
    for revision in present:
        try:
            scripts.get_revision(revision)
        except CommandError:
            shown = re.sub(r"[^A-Za-z0-9_-]", "?", revision)[:40]
            raise Failure(
                "DatabaseTooNew",
                f"The {target.name} schema in the {target.place} is at revision {shown}, which MLflow {mlflow.__version__} does"
                " not know: a newer MLflow has used it (a downgrade needs a backup from before), or it belongs to"
                " another program (use a database of its own).",
            ) from None
    return present, scripts.get_current_head() or ""


def migrate_tracking(target: Store) -> None:
    from mlflow.server.handlers import initialize_backend_stores
    from mlflow.store.db.utils import _initialize_tables, _upgrade_db
    from mlflow.utils.server_cli_utils import resolve_default_artifact_root
    from sqlalchemy import inspect

    with engine(target) as database:
        # Tables of basic authentication may be there already, so "no tables at all" would be the wrong question.
        if inspect(database).has_table("experiments"):
            _upgrade_db(database)
        else:
            _initialize_tables(database)
    serves = os.environ.get("MLFLOW_SERVE_ARTIFACTS", "").lower() not in ("false", "0", "no", "off", "f", "n")
    root = resolve_default_artifact_root(serves, os.environ.get("MLFLOW_DEFAULT_ARTIFACT_ROOT") or None, target.uri)
    initialize_backend_stores(target.uri, target.uri, root)


def migrate_auth(target: Store) -> None:
    from mlflow.server import auth

    username = os.environ.get("MLFLOW_AUTH_ADMIN_USERNAME", "")
    password = os.environ.get("MLFLOW_AUTH_ADMIN_PASSWORD") or None
    if not username:
        raise configuration_error("MLFLOW_AUTH_ADMIN_USERNAME is empty: name the first admin.")
    auth.store.init_db(target.uri)
    existed = auth.store.has_user(username)
    # The rule of mlflow.server.auth (_validate_bootstrap_admin_password), checked first for a message that helps.
    if not existed and (password is None or len(password) < 12 or password == "password1234"):
        raise Failure(
            "AdminPasswordRejected",
            f'MLflow does not accept the password of its first admin "{username}": give MLFLOW_AUTH_ADMIN_PASSWORD at least'
            " 12 characters, and not the former default.",
        )
    auth.create_admin_user(username, password)
    say(f'auth: admin "{username}" {"exists" if existed else "created"}')


def migrate_oidc(target: Store) -> None:
    from mlflow_oidc_auth.db.utils import migrate
    from sqlalchemy import inspect

    with engine(target) as database:
        if not revisions(target)[0] and inspect(database).has_table("users"):
            raise Failure(
                "DatabaseRejected",
                f"The {target.place} has a table of users already, which is not that of OpenID Connect: basic authentication or LDAP"
                " has kept its users there. Give authentication.oidc a database of its own.",
            )
        migrate(database, "head")


def quieten() -> None:
    """Lets only our own lines and Alembic's steps out: other programs' logs quote connection strings."""

    class Steps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "alembic.runtime.migration" and record.getMessage().startswith("Running "):
                say(f"  {record.getMessage()[:200]}")

    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")
    warnings.simplefilter("ignore")
    os.environ.update({"MLFLOW_CONFIGURE_LOGGING": "false", "MLFLOW_DISABLE_TELEMETRY": "true"})
    os.environ.update({"OIDC_ALEMBIC_VERSION_TABLE": OIDC_VERSION_TABLE, "CONFIG_PROVIDERS": "env"})
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(CONNECT_SECONDS))
    logging.basicConfig(handlers=[Steps()], level=logging.WARNING, force=True)
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)


def checking() -> bool:
    return os.environ.get("MIGRATION_MODE") == "check"


def manual(state: str) -> Failure:
    return Failure(
        "ManualMigrationNeeded", f"{state} Migrate it with the image of this version, or set migration: Automatic."
    )


def require_current(target: Store, present: list[str], head: str) -> None:
    """Raises Failure where an administrator still has to migrate."""
    if present != [head]:
        raise manual(
            f"The {target.name} schema in the {target.place} is at revision {', '.join(present) or 'none'}, and this"
            f" MLflow needs {head}."
        )
    say(f"{target.name}: schema is at {head}")


MIGRATIONS = {"tracking": migrate_tracking, "auth": migrate_auth, "oidc": migrate_oidc}


def require_packages() -> None:
    """Without them the server would start, and answer every request with an error."""
    missing = [name for name in os.environ.get("MIGRATION_PACKAGES", "").split(",") if name and find_spec(name) is None]
    if missing:
        raise Failure(
            "UnsupportedImage",
            f"The MLflow image lacks {', '.join(missing)}, which this way of authentication needs. Use the project's image, or add"
            " the package to yours.",
        )


def migrate() -> None:
    """The whole work: both databases are reached, and known to be of an age that fits, before either is changed."""
    targets = stores()
    with phase("load", Failure("MigrationTimeout", "Loading MLflow takes too long. Check the CPU limit of the pod and the image.")):
        try:
            import mlflow
            import mlflow.store.db.utils

            if targets[-1].name == "auth":
                import mlflow.server.auth
        except Exception as error:
            raise failure(error, targets[-1], "Loading MLflow") from None
        require_packages()
        limit_transactions()
    say(f"MLflow {mlflow.__version__}")
    for target in targets:
        told = f"Connecting: the {target.place} {REMEDIES['DatabaseUnreachable']}"
        with phase("connect", Failure("DatabaseUnreachable", told)):
            connect(target)
    for target in targets:
        told = f"Reading the schema's revision: the {target.place} does not answer. End what blocks the database"
        with phase("inspect", Failure("DatabaseTimeout", told)):
            try:
                present, head = revisions(target)
            except Exception as error:
                raise failure(error, target, "Reading the schema's revision") from None
            if checking():
                require_current(target, present, head)
    if checking():
        return
    for target in targets:
        try:
            with lock(target), changing():
                migrate_schema(target)
        except Exception as error:
            told = failure(error, target, f"Migrating the {target.name} schema")
            if told.reason == "DatabaseLocked":
                told = Failure(told.reason, f"{told.message}{lock_holders(target)}")
            raise told from None


def migrate_schema(target: Store) -> None:
    if target.sqlite_path is not None:
        remove_copy(target)
    before, head = revisions(target)
    say(f"{target.name}: schema {', '.join(before) or 'empty'} -> {head}")
    if target.sqlite_path is not None and before != [head]:
        migrate_copy(target, head)
    else:
        with_patience(target)
    after, _ = revisions(target)
    say(f"{target.name}: schema is at {', '.join(after)}")


def with_patience(target: Store) -> None:
    """Tries again where another session of PostgreSQL holds a lock: the failed attempt is rolled back."""
    for pause in (*LOCK_PAUSES, None):
        try:
            return MIGRATIONS[target.name](target)
        except Exception as error:
            if pause is None or Work.is_ending or sqlstate(error) != "55P03":
                raise
        say(f"{target.name}: other sessions hold locks on its tables, trying again in {pause} s")
        time.sleep(pause)


def give_up(told: Failure) -> NoReturn:
    line = json.dumps({"reason": told.reason, "message": told.message[:2000]})
    print(line, file=ERR, flush=True)
    with contextlib.suppress(OSError):
        Path(os.environ.get("MIGRATION_TERMINATION_LOG") or "/dev/termination-log").write_text(f"{line}\n", encoding="utf-8")
    # Threads that MLflow started may not hold up the end or print at it.
    os._exit(1)


def main() -> NoReturn:
    # As process 1 of a container a signal without a handler is ignored.
    signal.signal(signal.SIGTERM, end)
    quieten()
    try:
        migrate()
    except Failure as told:
        give_up(told)
    except BaseException as error:
        give_up(Failure("MigrationFailed", f"The migration program failed with {type(error).__name__} at {origin(error)}."))
    say("done")
    OUT.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

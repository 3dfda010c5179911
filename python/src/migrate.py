"""Migrates the databases of an MLflow server to the schema of the installed MLflow.

Runs in the MLflow image before the server's pods start, so that any number of replicas can start at the same time afterwards:
it creates everything that MLflow itself creates at its first start (tables, the Default experiment, the first admin).
It is idempotent, and only one instance at a time works on a database; the others wait.

It runs in phases. Each phase except the migration itself has a deadline, after which the program fails with a reason and the
kubelet restarts it. The migration itself is never interrupted: SIGTERM ends the program immediately in every other phase, and
after the current schema in this one. PostgreSQL rolls back a failed migration. SQLite cannot, so the program migrates a copy of
the file, and then writes it back in one transaction.

Environment:
  MIGRATION_MODE                "upgrade" (default) or "check": only check that the schemas are those of this MLflow
  TRACKING_DATABASE_URI         the tracking database; or in parts, so that the caller does not have to put a password into a URI:
  TRACKING_DATABASE_DRIVER, _HOST, _PORT, _NAME, _USERNAME, _PASSWORD, _QUERY
                                SQLAlchemy's dialect and driver, the address, the credentials, and the part of the URI after '?'
  AUTH_DATABASE_URI, AUTH_DATABASE_HOST, …
                                the database of basic authentication, likewise; absent or empty: no authentication
  AUTH_APPLICATION              the owner of that database: "basic-auth" (default) or "oidc-auth", the plugin for OpenID Connect
  MIGRATION_PACKAGES            additional Python packages that the image must contain, separated by commas
  MLFLOW_SERVE_ARTIFACTS, MLFLOW_DEFAULT_ARTIFACT_ROOT, MLFLOW_ENABLE_WORKSPACES
                                as for the server: the Default experiment keeps the artifact root of its creation
  MLFLOW_AUTH_ADMIN_USERNAME, MLFLOW_AUTH_ADMIN_PASSWORD
                                the admin that is created unless a user of that name exists
  TERMINATION_LOG               where the failure is reported; default /dev/termination-log
  MIGRATION_LOCK_SECONDS        how long to wait for another instance; default 600
  MIGRATION_LOAD_SECONDS, MIGRATION_CONNECT_SECONDS, MIGRATION_INSPECT_SECONDS, MIGRATION_WRITE_BACK_SECONDS
                                the deadlines of the other phases; default: see DEADLINES

Exit code 0: the schemas are current. Exit code 1: one line of JSON, {"reason", "message"}, is in the termination log and
on stderr. Reasons: ConfigurationInvalid, UnsupportedImage, DriverMissing, DatabaseUnreachable, DatabaseRejected,
DatabaseAuthenticationFailed, DatabaseNotFound, DatabasePermissionDenied, DatabaseReadOnly, DatabaseFull,
DatabaseLocked, DatabaseTimeout, MigrationTimeout, DatabaseTooNew, RestoreIncomplete, TLSVerificationFailed, AdminPasswordRejected, ManualMigrationNeeded, MigrationBusy,
MigrationFailed, UnsupportedCharacterSet.

No URL, password or text of an exception is ever written, because drivers quote their input; messages contain the parsed
host, port, database and user, SQLSTATEs, and class names only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import shutil
import signal
import socket
import sqlite3
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

import mlflow_late_imports
from mlflow_outcome import Failure, completed, deadline, log, silence_libraries, succeed

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

DIALECTS = ("postgresql", "mysql", "mssql", "sqlite")
CONNECT_SECONDS = 10
CONNECT_ATTEMPTS = 3
# Several times the size of a new SQLite database.
SQLITE_SPARE = 16 << 20
# A copy of an SQLite database that is being migrated, next to it.
COPY_SUFFIX = ".migrating"
# The table in which restore.py records which backup a database was restored from. It is not part of a backup.
RESTORE_TABLE = "mlflow_restore_record"
# Maximum number of copies, if the database is written to after a copy was made.
COPY_ATTEMPTS = 5
# How long a statement waits for a lock in PostgreSQL. All later statements on the same table wait for it.
LOCK_TIMEOUT_SECONDS = 5
# Seconds between attempts that fail because of a lock timeout. Then the program fails, and the kubelet restarts it.
LOCK_PAUSES = (5, 10)
# Deadlines of the phases in seconds.
DEADLINES = {"load": 300, "connect": 180, "inspect": 120, "write back": 300}
# Advisory locks belong to one database, so the keys only distinguish the schemas.
LOCK_KEYS = {"tracking": 0x6D6C666C6F770001, "auth": 0x6D6C666C6F770002, "oidc": 0x6D6C666C6F770003}
# Not the plugin's default, which is also MLflow's own and would prevent a shared database.
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
    1021: "DatabaseFull",
    1040: "DatabaseUnreachable",
    1044: "DatabasePermissionDenied",
    1045: "DatabaseAuthenticationFailed",
    1049: "DatabaseNotFound",
    1114: "DatabaseFull",
    1129: "DatabaseUnreachable",
    1130: "DatabaseAuthenticationFailed",
    1142: "DatabasePermissionDenied",
    1203: "DatabaseUnreachable",
    1205: "DatabaseLocked",
    1226: "DatabaseUnreachable",
    1227: "DatabasePermissionDenied",
    1290: "DatabaseReadOnly",
    1370: "DatabasePermissionDenied",
    1698: "DatabaseAuthenticationFailed",
    1836: "DatabaseReadOnly",
    1969: "DatabaseTimeout",
    2003: "DatabaseUnreachable",
    2006: "DatabaseUnreachable",
    2013: "DatabaseUnreachable",
    2026: "TLSVerificationFailed",
    3024: "DatabaseTimeout",
    3118: "DatabaseAuthenticationFailed",
    3159: "TLSVerificationFailed",
    4151: "DatabaseAuthenticationFailed",
}
MSSQL_CODES = {
    229: "DatabasePermissionDenied",
    262: "DatabasePermissionDenied",
    916: "DatabasePermissionDenied",
    1088: "DatabasePermissionDenied",
    1105: "DatabaseFull",
    1205: "DatabaseLocked",
    1222: "DatabaseLocked",
    2760: "DatabasePermissionDenied",
    3906: "DatabaseReadOnly",
    4060: "DatabaseNotFound",
    9002: "DatabaseFull",
    # The codes of FreeTDS: timeout, no connection, connection lost.
    20003: "DatabaseUnreachable",
    20006: "DatabaseUnreachable",
    20009: "DatabaseUnreachable",
    20047: "DatabaseUnreachable",
    18452: "DatabaseAuthenticationFailed",
    18456: "DatabaseAuthenticationFailed",
    18470: "DatabaseAuthenticationFailed",
    18487: "DatabaseAuthenticationFailed",
    18488: "DatabaseAuthenticationFailed",
    40197: "DatabaseUnreachable",
    40501: "DatabaseUnreachable",
    40613: "DatabaseUnreachable",
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
# libpq reports a failed connection as text only, without an SQLSTATE.
CONNECT_TEXTS = (
    (r"invalid \w+ value|invalid connection option|invalid dsn", "ConfigurationInvalid"),
    (r'database "" does not exist', "DatabaseNotFound"),
    (r"permission denied for database", "DatabasePermissionDenied"),
    (
        r'authentication failed|no password supplied|role "" does not exist|pg_hba\.conf|not permitted to log in|valid client certificate',
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
    "ConfigurationInvalid": "received a parameter that its client does not support. Check the names and values after the '?' of"
    " the URI, such as sslmode and sslrootcert",
    "DatabaseUnreachable": "did not answer or is not ready. Check host and port, that the database runs and has"
    " free connections, and that network policies allow these pods to reach it",
    "DatabaseRejected": "rejected the connection without an error code. Check its log at this time, and"
    " user, password, database name and TLS mode",
    "DatabaseAuthenticationFailed": "does not accept this user with this password. Check both in the Secret, and that"
    " the server's pg_hba.conf allows the user from here with this TLS mode",
    "DatabaseNotFound": "does not exist. Create the database, or correct its name or path",
    "DatabasePermissionDenied": "does not grant this user the privileges that a migration needs. Make the user the owner of the"
    " database, or grant it CONNECT on the database and USAGE and CREATE on its schema (PostgreSQL 15 and later"
    " does not grant CREATE on schema public to all users), and make it the owner of existing MLflow tables",
    "DatabaseReadOnly": "is read-only. Use the primary, not a replica, and mount a writable volume",
    "DatabaseFull": "has no space left. Enlarge its storage",
    "DatabaseLocked": "has sessions that hold locks on MLflow's tables, so they cannot be changed. Nothing was changed, and the"
    " migration is retried. End long transactions and queries, such as backups, if they do not end by themselves",
    "DatabaseTimeout": "cancelled a statement because of a timeout (statement_timeout or lock_timeout). Raise it for this"
    " user, and end the sessions that hold locks on MLflow's tables",
    "TLSVerificationFailed": "failed TLS verification. Check that it offers TLS, that its certificate is"
    " signed by the given CA and contains this host name, and that the CA file exists",
}
LOCKED = (
    "has sessions that hold locks on MLflow's tables, so they cannot be changed. End long transactions and queries,"
    " such as backups, if they do not end by themselves. The migration is retried"
)
MYSQL_REMEDIES = {
    "DatabaseAuthenticationFailed": "does not accept this user with this password. Check both in the Secret, that the account"
    " exists for the address of the pods ('user'@'%'), and that its TLS requirement fits the TLS mode",
    "DatabasePermissionDenied": "does not exist, or does not grant this user the privileges that a migration needs. Check the name, and"
    " GRANT ALL PRIVILEGES on this database to the user",
    "DatabaseLocked": LOCKED,
}
MSSQL_REMEDIES = {
    "DatabaseAuthenticationFailed": "does not accept this user with this password. Check both in the Secret, and that the server"
    " allows SQL Server authentication",
    "DatabaseNotFound": "does not exist, or the login has no user in it. Create the database and a user for the login, or correct its name",
    "DatabasePermissionDenied": "does not grant this user the privileges that a migration needs. Add the user to the role db_owner",
    "DatabaseLocked": LOCKED,
}
SQLITE_REMEDIES = {
    "DatabaseNotFound": "cannot be opened. Check that a volume is mounted there and that the pod's user can write to it",
    "DatabasePermissionDenied": "cannot be opened by the pod's user. Check the owner of its files and the pod's fsGroup",
    "DatabaseReadOnly": "is not writable. Check the owner of its files, the pod's fsGroup, and how its volume is mounted",
    "DatabaseFull": "has no space left. Enlarge its volume",
    "DatabaseRejected": "is not an SQLite database or is damaged. Use another file, or restore a backup",
    "MigrationBusy": "is locked by another program. Nothing was changed, and the migration is retried. End that program",
}


# Remedies that differ from those of PostgreSQL.
OWN_REMEDIES = {"sqlite": SQLITE_REMEDIES, "mysql": MYSQL_REMEDIES, "mssql": MSSQL_REMEDIES}


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


def configuration_error(text: str) -> Failure:
    return Failure("ConfigurationInvalid", text)


def store(name: str, uri: str, source: str) -> Store:
    """Parses a database URI without ever quoting it. Raises Failure if part of the password could be read as a name."""
    from sqlalchemy.engine import make_url

    remedy = f"The database URI in {source} is not valid. Use dialect://user:password@host:port/database"
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
    """Returns the URI of a database, as given or built from its parts; empty if there is none. The result is a secret."""
    from sqlalchemy.engine import URL

    def given(part: str) -> str:
        return os.environ.get(f"{role}_DATABASE_{part}", "")

    if given("URI") or not given("HOST"):
        return given("URI")
    port = given("PORT")
    if not re.fullmatch(r"[0-9]{1,5}", port):
        raise configuration_error(f"{role}_DATABASE_PORT is not a number.")
    query = dict(parse_qsl(given("QUERY")))
    url = URL.create(
        given("DRIVER"), given("USERNAME"), given("PASSWORD"), given("HOST"), int(port), given("NAME"), query
    )
    return url.render_as_string(hide_password=False)


def stores() -> list[Store]:
    """Returns the tracking schema first, then the schema of users, if any."""
    tracking = database_uri("TRACKING")
    if not tracking:
        raise configuration_error("TRACKING_DATABASE_URI is empty: set it to the URI of the tracking database.")
    found = [store("tracking", tracking, "TRACKING_DATABASE_URI")]
    if auth := database_uri("AUTH"):
        name = "oidc" if os.environ.get("AUTH_APPLICATION") == "oidc-auth" else "auth"
        found.append(store(name, auth, "AUTH_DATABASE_URI"))
    return found


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yields the error and the errors that it was raised from, outermost first."""
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
    """Returns the stable reason of a database error by its code; by its text only if libpq gives no code (no connection)."""
    for cause in causes(error):
        # MySQL has one SQLSTATE for many errors.
        if (
            type(cause).__module__.split(".")[0] in ("pymysql", "MySQLdb")
            and cause.args
            and isinstance(cause.args[0], int)
        ):
            # PyMySQL reports a failed handshake with the code of an unreachable server.
            if isinstance(getattr(cause, "original_exception", None), ssl.SSLError):
                return "TLSVerificationFailed"
            return MYSQL_CODES.get(cause.args[0])
        if type(cause).__module__.split(".")[0] == "pymssql" and cause.args and isinstance(cause.args[0], tuple):
            # The number of the error, and texts.
            return MSSQL_CODES.get(cause.args[0][0])
    code = sqlstate(error)
    if code is not None:
        return SQLSTATES.get(code, "DatabaseUnreachable" if code.startswith("08") else None)
    for cause in causes(error):
        name = getattr(cause, "sqlite_errorname", None)
        if isinstance(name, str):
            return next((reason for key, reason in SQLITE_NAMES.items() if name.startswith(key)), None)
        if type(cause).__module__.split(".")[0] in ("psycopg", "psycopg2"):
            # Names are removed, or a database called "my-ssl" would match as a TLS error.
            text = re.sub(r'"[^"]*"', '""', str(cause).lower())
            return next((reason for pattern, reason in CONNECT_TEXTS if re.search(pattern, text)), None)
        if isinstance(cause, ssl.SSLError):
            return "TLSVerificationFailed"
        if isinstance(cause, OSError) and cause.errno in FILE_ERRORS:
            return FILE_ERRORS[cause.errno]
    return None


def origin(error: BaseException) -> str:
    """Returns the innermost source location in MLflow or here of an exception: file and line, no values."""
    frames = [frame for cause in causes(error) for frame in traceback.extract_tb(cause.__traceback__)]
    files = [(frame.filename.rpartition("site-packages/")[2], frame.lineno) for frame in frames]
    # In a pod, the program is not a file.
    here = origin.__code__.co_filename
    own = [(file, line) for file, line in files if file.startswith("mlflow/") or file == here]
    return f"{own[-1][0]}:{own[-1][1]}" if own else "an unknown location"


def failure(error: BaseException, target: Store, action: str, connecting: bool = False) -> Failure:
    """Returns the reason and message for an exception, from known parts only."""
    for cause in causes(error):
        if isinstance(cause, Failure):
            return cause
        if isinstance(cause, ModuleNotFoundError) or type(cause).__name__ == "NoSuchModuleError":
            return Failure(
                "DriverMissing" if connecting else "UnsupportedImage",
                f"{action} on the {target.place} needs a Python package that the MLflow image does not contain"
                f"{f' ({cause.name})' if isinstance(cause, ModuleNotFoundError) and cause.name else ''}. Use an image with"
                " the driver named by the URI's dialect, and MLflow with its 'auth' extra for basic authentication.",
            )
    reason = reason_of(error) or ("DatabaseRejected" if connecting else None)
    if connecting and target.backend != "sqlite" and any(isinstance(each, FileNotFoundError) for each in causes(error)):
        # The only files of a client are those for TLS.
        reason = "TLSVerificationFailed"
    code = sqlstate(error)
    coded = f" (SQLSTATE {code})" if code else ""
    if reason is not None:
        remedy = OWN_REMEDIES.get(target.backend, {}).get(reason) or REMEDIES.get(reason)
        return Failure(reason, f"{action}: the {target.place} {remedy or REMEDIES['DatabaseRejected']}{coded}.")
    kinds = " < ".join(dict.fromkeys(type(cause).__name__ for cause in causes(error)))
    state = {
        "postgresql": "PostgreSQL has rolled it back.",
        "sqlite": "The database is unchanged: a copy was migrated.",
    }.get(target.backend, "The schema may be changed in part: restore the backup if the migration fails again.")
    return Failure(
        "MigrationFailed",
        f"{action} on the {target.place} failed with {kinds}{coded} at {origin(error)}. {state}"
        " Search MLflow's release notes and issues for this error.",
    )


class Work:
    """Whether a schema is being changed, and whether SIGTERM arrived in the meantime."""

    is_changing = False
    is_ending = False


def end(*_: object) -> None:
    """Handles SIGTERM: exits immediately, or after the current schema if one is being changed."""
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
def phase(name: str, timeout: Failure) -> Iterator[None]:
    """Ends the program with this failure if the block does not end before the deadline of the phase."""
    with deadline(seconds_of(name), timeout):
        yield


def limit_transactions() -> None:
    """Sets a short lock timeout for each transaction in PostgreSQL, and disables the user's other timeouts.

    Per transaction, because poolers assign a session to each transaction.
    """
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def limit(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                f"SELECT set_config(name, CASE name WHEN 'lock_timeout' THEN '{LOCK_TIMEOUT_SECONDS}s' ELSE '0' END, true)"
                " FROM pg_catalog.pg_settings WHERE name IN ('lock_timeout', 'statement_timeout', 'transaction_timeout',"
                " 'idle_in_transaction_session_timeout')"
            )

    event.listen(Engine, "begin", limit)


def lock_holders(target: Store) -> str:
    """Describes the oldest sessions that hold locks on tables of a PostgreSQL database, without their queries."""
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
    """Opens a TCP connection, to distinguish an unknown host from a closed port for every driver."""
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
    """Checks that the database accepts the credentials. Retries a few times if it is unreachable."""
    from sqlalchemy import text

    for attempt in range(1, CONNECT_ATTEMPTS + 1):
        try:
            reach(target)
            with engine(target) as database, database.connect() as connection:
                connection.execute(text("SELECT 1"))
                require_schema(target, connection)
                require_character_set(target, connection)
            log(f"{target.name}: connected to the {target.place}")
            return
        except Exception as error:
            result = failure(error, target, "Connecting", connecting=True)
            if result.reason != "DatabaseUnreachable" or attempt == CONNECT_ATTEMPTS:
                raise result from None
            log(f"{target.name}: attempt {attempt} of {CONNECT_ATTEMPTS} did not reach the {target.place}")
            time.sleep(2 * attempt)


def require_schema(target: Store, connection: Connection) -> None:
    """Raises Failure if PostgreSQL has no schema in which it can create tables."""
    from sqlalchemy import text

    if target.backend != "postgresql" or connection.execute(text("SELECT current_schema()")).scalar() is not None:
        return
    raise Failure(
        "DatabaseNotFound",
        f"Connecting: the {target.place} has no schema of the search path, so no tables can be created. Create the schema, or correct"
        " searchPath, and grant the user USAGE on the schema.",
    )


def require_character_set(target: Store, connection: Connection) -> None:
    """Raises Failure if a MySQL database cannot store all characters: some names would be rejected, and migrations fail partway."""
    from sqlalchemy import text

    if target.backend != "mysql":
        return
    statement = "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = DATABASE()"
    found = str(connection.execute(text(statement)).scalar() or "")
    if found == "utf8mb4":
        return
    shown = re.sub(r"[^A-Za-z0-9_]", "?", found)[:40]
    raise Failure(
        "UnsupportedCharacterSet",
        f"Connecting: the {target.place} has the character set {shown}, so MLflow could not store all names, and later migrations"
        " would fail partway. Nothing was changed. If it is empty, ALTER DATABASE … CHARACTER SET utf8mb4; otherwise convert its"
        " tables first (ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4).",
    )


def require_complete_restore(target: Store) -> None:
    """Raises Failure if a MySQL database has only a part of a backup: restore.py was interrupted, and runs no longer."""
    from sqlalchemy import inspect, text

    if target.backend != "mysql":
        return
    with engine(target) as database, database.connect() as connection:
        if not inspect(connection).has_table(RESTORE_TABLE):
            return
        states = connection.execute(text(f"SELECT state FROM {RESTORE_TABLE}")).scalars().all()
    if "started" in states:
        raise Failure(
            "RestoreIncomplete",
            f"A restore into the {target.place} was interrupted, so it has only a part of the backup. Nothing was changed. Set spec.restore again,"
            " or use an empty database.",
        )


@contextlib.contextmanager
def engine(target: Store) -> Iterator[Any]:
    """Yields an engine created by MLflow, so that the check connects as the server does."""
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
    """Locks the schema for this instance. The database (or the kernel) releases the lock when the process ends."""
    deadline = time.monotonic() + float(os.environ.get("MIGRATION_LOCK_SECONDS") or "600")

    def wait(is_logged: bool) -> bool:
        if time.monotonic() > deadline:
            raise Failure(
                "MigrationBusy",
                f"Another migration holds the lock on the {target.place}. The migration is retried. If no other migration"
                " runs, end the database session that holds the advisory lock.",
            )
        if not is_logged:
            log(f"{target.name}: waiting for another migration")
        time.sleep(1)
        return True

    is_logged = False
    if target.sqlite_path is not None:
        with open(f"{target.sqlite_path}.migration-lock", "a+", encoding="utf-8") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    is_logged = wait(is_logged)
            yield
        return
    from sqlalchemy import text

    with engine(target) as database:
        connection = database.connect()
        try:
            if target.backend == "postgresql":
                # A lock of the transaction, not of the session: it also works with a pooler in transaction mode.
                statement = f"SELECT pg_try_advisory_xact_lock({LOCK_KEYS[target.name]})"
            elif target.backend == "mysql":
                statement = f"SELECT GET_LOCK(CONCAT('mlflow-{target.name}-', MD5(DATABASE())), 0)"
            elif target.backend == "mssql":
                # A lock of the session, in this database.
                statement = (
                    f"DECLARE @result int; EXEC @result = sp_getapplock @Resource = 'mlflow-{target.name}',"
                    " @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0;"
                    " SELECT CASE WHEN @result >= 0 THEN 1 ELSE 0 END"
                )
            else:
                statement = "SELECT 1"
            while not connection.execute(text(statement)).scalar():
                is_logged = wait(is_logged)
            yield
        finally:
            # A connection that broke in the meantime must not turn a finished migration into a failed one.
            with contextlib.suppress(Exception):
                connection.close()


def is_empty(target: Store) -> bool:
    """Whether an SQLite database has no tables."""
    path = target.sqlite_path
    if path is None or not os.path.exists(path) or os.path.getsize(path) == 0:
        return path is not None
    # Opening the file rolls back an interrupted first write.
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,))


def require_space(target: Store) -> None:
    """Raises Failure if the volume may become full: it holds a copy, and the journal while the copy is written back."""
    if target.sqlite_path is None:
        return
    size = 0 if is_empty(target) else os.path.getsize(target.sqlite_path)
    needed = 2 * size + SQLITE_SPARE
    free = shutil.disk_usage(os.path.dirname(target.sqlite_path) or ".").free
    if free < needed:
        raise Failure(
            "DatabaseFull",
            f"Migrating the {target.name} schema: a copy of the {target.place} is migrated, which can need {needed >> 20} MiB of free"
            f" space, and its volume has {free >> 20}. Enlarge its volume.",
        )


def remove_copy(target: Store) -> None:
    """Removes the copy of an SQLite database, also that of an interrupted attempt."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        Path(f"{target.sqlite_path}{COPY_SUFFIX}{suffix}").unlink(missing_ok=True)


class ChangedMeanwhile(Exception):
    """The database was written to after its copy was made."""


def migrate_copy(target: Store, head: str) -> None:
    """Migrates an SQLite database to the newest schema atomically.

    A copy is migrated while the database is locked against writers, and then written back into the same file in one
    SQLite transaction: a server that has the file open neither loses writes nor sees a partial schema. An interruption
    leaves the database unchanged; the next attempt removes the remaining copy.
    """
    from sqlalchemy.engine import make_url

    disable_sync_of_copies()
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
                log(f"{target.name}: copied, and locked against writers")
                MIGRATIONS[target.name](copy)
                require_sound(copy, head)
                log(f"{target.name}: the copy is migrated")
                writers.execute("ROLLBACK")
                write_back(copy, path, lambda: version() == before)  # noqa: B023 - called before the next attempt
            break
        except ChangedMeanwhile:
            if attempt == COPY_ATTEMPTS:
                raise sqlite3_busy(target) from None
            log(f"{target.name}: written to after it was copied, attempt {attempt} of {COPY_ATTEMPTS}")
    remove_copy(target)


def disable_sync_of_copies() -> None:
    """Writes copies without waiting for the disk: a lost copy is created again."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def disable_sync(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            files = [row[2] for row in connection.execute("PRAGMA database_list").fetchall()]
            if any(str(file).endswith(COPY_SUFFIX) for file in files):
                connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", disable_sync)


def require_sound(copy: Store, head: str) -> None:
    with contextlib.closing(sqlite3.connect(copy.sqlite_path or "")) as connection:
        problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    found, _ = revisions(copy)
    if problem != "ok" or found != [head]:
        raise Failure(
            "MigrationFailed",
            f"Migrating the {copy.name} schema: the migrated copy of the {copy.place} is damaged. The database is unchanged. Check its volume.",
        )


def sqlite3_busy(target: Store) -> Failure:
    return Failure(
        "MigrationBusy", f"Migrating the {target.name} schema: the {target.place} {SQLITE_REMEDIES['MigrationBusy']}."
    )


def content_version(path: str, reader: sqlite3.Connection) -> Callable[[], object]:
    """Returns a function whose result changes with each write to an SQLite database by other connections."""
    if reader.execute("PRAGMA journal_mode").fetchall() == [("wal",)]:
        return lambda: reader.execute("PRAGMA data_version").fetchall()
    # The change counter in the file header. Never closed: that would release all locks of this process on the file.
    file = os.open(path, os.O_RDONLY)
    return lambda: os.pread(file, 4, 24)


def write_back(copy: Store, path: str, is_unchanged: Callable[[], bool]) -> None:
    """Replaces the content of the database with the copy. Raises ChangedMeanwhile if the database was written to."""
    deadline = time.monotonic() + seconds_of("write back")
    is_checked = False

    def checked(_status: int, remaining: int, total: int) -> None:
        nonlocal is_checked
        if time.monotonic() > deadline:
            raise sqlite3_busy(copy)
        # From the first page on, this connection holds the write lock, and these few pages are not in the file yet.
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
    """Returns the revisions in the database and the newest of this MLflow. Raises Failure for an unknown revision."""
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
                " another program (use a separate database).",
            ) from None
    return present, scripts.get_current_head() or ""


def migrate_tracking(target: Store) -> None:
    from mlflow.server.handlers import initialize_backend_stores
    from mlflow.store.db.utils import _initialize_tables, _upgrade_db
    from mlflow.utils.server_cli_utils import resolve_default_artifact_root
    from sqlalchemy import inspect

    with engine(target) as database:
        # Tables of basic authentication may exist already, so an empty database is not the criterion.
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
        raise configuration_error("MLFLOW_AUTH_ADMIN_USERNAME is empty: set it to the name of the first admin.")
    auth.store.init_db(target.uri)
    existed = auth.store.has_user(username)
    # The rule of mlflow.server.auth (_validate_bootstrap_admin_password), checked first for a clear message.
    if not existed and (password is None or len(password) < 12 or password == "password1234"):
        raise Failure(
            "AdminPasswordRejected",
            f'MLflow does not accept the password of its first admin "{username}". Set one with at least'
            " 12 characters, and not MLflow's previous default.",
        )
    auth.create_admin_user(username, password)
    log(f'auth: admin "{username}" {"exists" if existed else "created"}')


def migrate_oidc(target: Store) -> None:
    from mlflow_oidc_auth.db.utils import migrate
    from sqlalchemy import inspect

    with engine(target) as database:
        if not revisions(target)[0] and inspect(database).has_table("users"):
            raise Failure(
                "DatabaseRejected",
                f"The {target.place} already contains users of basic authentication or LDAP, and the plugin for OpenID Connect"
                " cannot use their tables. Set a separate database in authentication.oidc.database.",
            )
        migrate(database, "head")


def log_steps() -> None:
    """Logs only this program's lines and Alembic's steps: other loggers quote connection strings."""

    class Steps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "alembic.runtime.migration" and record.getMessage().startswith("Running "):
                log(f"  {record.getMessage()[:200]}")

    mlflow_late_imports.prepare()
    silence_libraries()
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
    """Raises Failure if an administrator has to migrate the schema."""
    if present != [head]:
        raise manual(
            f"The {target.name} schema in the {target.place} is at revision {', '.join(present) or 'none'}, and this"
            f" MLflow needs {head}."
        )
    log(f"{target.name}: schema is at {head}")


MIGRATIONS = {"tracking": migrate_tracking, "auth": migrate_auth, "oidc": migrate_oidc}


def require_packages() -> None:
    """Raises Failure if a package is missing: the server would start, and answer every request with an error."""
    missing = [name for name in os.environ.get("MIGRATION_PACKAGES", "").split(",") if name and find_spec(name) is None]
    if missing:
        raise Failure(
            "UnsupportedImage",
            f"The MLflow image does not contain {', '.join(missing)}, which this authentication method requires. Use the project's"
            " image, or add the package to your image.",
        )


def migrate() -> None:
    """Checks the connections and revisions of all databases before it changes any of them, then migrates them."""
    targets = stores()
    with phase(
        "load",
        Failure("MigrationTimeout", "Loading MLflow takes too long. Check the CPU limit of the pod and the image."),
    ):
        try:
            import mlflow
            import mlflow.store.db.utils

            if targets[-1].name == "auth":
                import mlflow.server.auth
        except Exception as error:
            raise failure(error, targets[-1], "Loading MLflow") from None
        require_packages()
        limit_transactions()
    log(f"MLflow {mlflow.__version__}")
    for target in targets:
        message = f"Connecting: the {target.place} {REMEDIES['DatabaseUnreachable']}"
        with phase("connect", Failure("DatabaseUnreachable", message)):
            connect(target)
    for target in targets:
        message = f"Reading the schema's revision: the {target.place} does not answer. End the sessions that block the database"
        with phase("inspect", Failure("DatabaseTimeout", message)):
            try:
                require_complete_restore(target)
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
            result = failure(error, target, f"Migrating the {target.name} schema")
            if result.reason == "DatabaseLocked":
                result = Failure(result.reason, f"{result.message}{lock_holders(target)}")
            raise result from None


def migrate_schema(target: Store) -> None:
    if target.sqlite_path is not None:
        remove_copy(target)
    before, head = revisions(target)
    log(f"{target.name}: schema {', '.join(before) or 'empty'} -> {head}")
    if target.sqlite_path is not None and before != [head]:
        migrate_copy(target, head)
    else:
        migrate_with_retries(target)
    after, _ = revisions(target)
    log(f"{target.name}: schema is at {', '.join(after)}")


def migrate_with_retries(target: Store) -> None:
    """Migrates a schema, with retries while other sessions of PostgreSQL hold locks: failed attempts are rolled back."""
    for pause in (*LOCK_PAUSES, None):
        try:
            return MIGRATIONS[target.name](target)
        except Exception as error:
            if pause is None or Work.is_ending or sqlstate(error) != "55P03":
                raise
        log(f"{target.name}: other sessions hold locks on its tables, trying again in {pause} s")
        time.sleep(pause)


def main() -> NoReturn:
    # Process 1 of a container ignores a signal without a handler.
    signal.signal(signal.SIGTERM, end)
    log_steps()
    completed(
        migrate,
        lambda error: Failure(
            "MigrationFailed", f"The migration program failed with {type(error).__name__} at {origin(error)}."
        ),
    )
    log("done")
    succeed()


if __name__ == "__main__":
    main()

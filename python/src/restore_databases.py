"""Restores the dump of a database into an empty one, with a table that records the backup: mlflow_restore_record."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from backup import CHUNK, File, installed, sync
from backup_reader import Source
from migrate import RESTORE_TABLE, SQLITE_SPARE, Store, engine, is_empty, lock
from mlflow_outcome import Failure, log
from restore_artifacts import Reader

#: Entries of a dump that MLflow's schema consists of. Others, such as functions, extensions and privileges, are not restored.
ENTRIES = (
    *(
        "TABLE DATA",
        "TABLE ATTACH",
        "TABLE",
        "SEQUENCE SET",
        "SEQUENCE OWNED BY",
        "SEQUENCE",
        "DEFAULT",
        "FK CONSTRAINT",
    ),
    *("CONSTRAINT", "INDEX ATTACH", "INDEX", "TYPE", "VIEW"),
)
ENTRY = re.compile(rf"\d+; \d+ \d+ ({'|'.join(ENTRIES)}) (\S+) ")
COPY = re.compile(rb"COPY .+ FROM stdin;\n")
DEFINER = re.compile(r"(?<=^/\*!50003 CREATE\*/) /\*!50017 DEFINER=[^\n]*?\*/")
# Settings of pg_restore that older servers do not have, and commands of psql.
SKIPPED = re.compile(rb"SET transaction_timeout = 0;\n|\\(un)?restrict .*\n")


def database_target(target: Store, backup: str) -> DatabaseTarget:
    kinds: dict[str, type[Postgresql | Mysql | Sqlite]] = {"postgresql": Postgresql, "mysql": Mysql, "sqlite": Sqlite}
    return kinds[target.backend](target, backup)


class DatabaseTarget(ABC):
    def __init__(self, target: Store, backup: str) -> None:
        self.target = target
        self.backup = backup

    def is_restored(self) -> bool:
        return self.record() == (self.backup, "complete")

    def require_empty(self) -> None:
        """Raises Failure if the database has content that an interrupted restore has not written."""
        if self.is_restored() or self.is_empty():
            return
        raise Failure(
            "RestoreTargetNotEmpty",
            f"The {self.target.place} already has tables, which are not of this backup, so nothing was restored. Use an empty database, or remove"
            " spec.restore to use the database as it is.",
        )

    def restore(self, place: Source, file: File) -> None:
        with lock(self.target):
            self.require_empty()
            if not self.is_restored():
                self.fill(place, file)

    @abstractmethod
    def record(self) -> tuple[str, str] | None:
        """Returns the recorded backup and its state, `started` or `complete`."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether the database has nothing, or only what an interrupted restore has written."""

    @abstractmethod
    def fill(self, place: Source, file: File) -> None: ...


class Server(DatabaseTarget):
    """A database of a server."""

    def record(self) -> tuple[str, str] | None:
        from sqlalchemy import inspect, text

        with engine(self.target) as database, database.connect() as connection:
            if not inspect(connection).has_table(RESTORE_TABLE):
                return None
            row = connection.execute(text(f"SELECT backup, state FROM {RESTORE_TABLE}")).first()
            return None if row is None else (str(row[0]), str(row[1]))


class Postgresql(Server):
    def is_empty(self) -> bool:
        from sqlalchemy import text

        statement = (
            "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
        )
        with engine(self.target) as database, database.connect() as connection:
            return bool(connection.execute(text(statement)).scalar_one() == 0)

    def fill(self, place: Source, file: File) -> None:
        path, _ = installed(("pg_restore",), self.target)
        with tempfile.TemporaryDirectory() as folder, engine(self.target) as database:
            connection = database.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute("SELECT current_schema()")
                schema = str(cursor.fetchone()[0])
                entries = Path(folder, "entries")
                entries.write_text(self.entries(path, place, file, schema), encoding="utf-8")
                arguments = [path, "--no-owner", "--no-privileges", f"--use-list={entries}", "--file=-"]
                with piped(arguments, place.verified(file)) as script:
                    run_script(script, cursor, connection.driver_connection)
                quoted = '"' + schema.replace('"', '""') + '"'
                cursor.execute("RESET ALL")
                cursor.execute(
                    f"CREATE TABLE {quoted}.{RESTORE_TABLE} (backup varchar(64) NOT NULL, state varchar(16) NOT NULL)"
                )
                cursor.execute(f"INSERT INTO {quoted}.{RESTORE_TABLE} VALUES (%s, 'complete')", (self.backup,))
                connection.commit()
            finally:
                connection.close()

    def entries(self, path: str, place: Source, file: File, schema: str) -> str:
        """Returns the entries of the dump that are restored, in pg_restore's format. Raises Failure if they are of another schema."""
        with piped([path, "--list"], place.verified(file)) as output:
            lines = output.read().decode("utf-8", "replace").splitlines()
        found = [(line, match) for line in lines if (match := ENTRY.match(line))]
        log(f"{self.target.name}: {len(found)} entries")
        other = sorted({match[2] for _, match in found} - {schema})
        if other:
            shown = re.sub(r"[^\w-]", "?", other[0])[:63]
            own = re.sub(r"[^\w-]", "?", schema)[:63]
            raise Failure(
                "RestoreTargetMismatch",
                f"The dump has tables of the schema {shown}, and the {self.target.place} uses the schema {own}. Nothing was restored. Create the"
                f" schema {shown}, and set searchPath to it.",
            )
        return "".join(f"{line}\n" for line, _ in found)


@contextlib.contextmanager
def piped(arguments: list[str], content: Iterator[bytes]) -> Iterator[IO[bytes]]:
    """Yields the output of a program that reads the content. Raises what reading the content raised, or Failure if the program failed."""
    raised: list[BaseException] = []
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        if process.stdin is None or process.stdout is None:
            raise AssertionError
        stdin, stdout = process.stdin, process.stdout

        def feed() -> None:
            try:
                with contextlib.suppress(BrokenPipeError), contextlib.closing(stdin):
                    for chunk in content:
                        stdin.write(chunk)
            except BaseException as error:
                raised.append(error)
                process.kill()

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        try:
            yield stdout
        except BaseException:
            process.kill()
            process.wait()
            feeder.join()
            # Without the rest of the dump its statements are incomplete: what ended it matters.
            if raised:
                raise raised[0] from None
            raise
        code = process.wait()
        feeder.join()
        errors.seek(0)
        text = errors.read(CHUNK).decode("utf-8", "replace").lower()
    if raised:
        raise raised[0]
    if code != 0:
        raise tool_failure(arguments[0], code, text)


def tool_failure(path: str, code: int, text: str) -> Failure:
    """Returns the failure of pg_restore by its text, which is not quoted."""
    name = Path(path).name
    if "unsupported version" in text:
        return Failure(
            "BackupToolOutdated",
            f"{name} of the MLflow image is older than the pg_dump that wrote the backup. Nothing was restored. Use an image with a newer client.",
        )
    if re.search(r"does not appear to be a valid archive|input file is too short|could not find", text):
        return Failure(
            "BackupDamaged", f"{name} cannot read the dump of the backup. Nothing was restored. Use another backup."
        )
    return Failure(
        "RestoreFailed", f"{name} failed with exit code {code}. Nothing was restored, and the restore is repeated."
    )


def run_script(script: IO[bytes], cursor: Any, connection: Any) -> None:
    """Runs the SQL of pg_restore in the transaction of the cursor: statements together up to the next rows, which follow COPY."""
    statements = bytearray()

    def run() -> None:
        # Drivers reject a query of comments.
        if any(line.strip() and not line.startswith(b"--") for line in statements.splitlines()):
            cursor.execute(bytes(statements))
        statements.clear()

    for line in iter(script.readline, b""):
        if COPY.fullmatch(line):
            run()
            copy_rows(line, script, cursor, connection)
        elif not SKIPPED.fullmatch(line):
            statements += line
    run()


class Rows:
    """The rows after COPY, as a file that ends before the line with only a backslash and a dot."""

    def __init__(self, script: IO[bytes]) -> None:
        self._script = script
        self._rest = b""
        self._is_over = False

    def read(self, size: int = CHUNK) -> bytes:
        while not self._is_over and len(self._rest) < size:
            line = self._script.readline()
            self._is_over = line in (b"\\.\n", b"")
            self._rest += b"" if self._is_over else line
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def copy_rows(statement: bytes, script: IO[bytes], cursor: Any, connection: Any) -> None:
    rows = Rows(script)
    text = statement.decode("utf-8").rstrip(";\n")
    if type(connection).__module__.startswith("psycopg2"):
        cursor.copy_expert(text, rows)
        return
    with cursor.copy(text) as copy:
        while part := rows.read():
            copy.write(part)


class Mysql(Server):
    def is_empty(self) -> bool:
        return not self.tables() or (self.record() or ("", ""))[1] == "started"

    def tables(self) -> list[tuple[str, str]]:
        """Returns names and kinds of the tables and views, without the record."""
        from sqlalchemy import text

        statement = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE()"
        with engine(self.target) as database, database.connect() as connection:
            found = [(str(name), str(kind)) for name, kind in connection.execute(text(statement))]
        return [each for each in found if each[0] != RESTORE_TABLE]

    def fill(self, place: Source, file: File) -> None:
        self.write_record("started")
        self.clear()
        with engine(self.target) as database:
            connection = database.raw_connection()
            try:
                cursor = connection.cursor()
                with gzip.open(Reader(place.verified(file))) as lines:  # type: ignore[call-overload]
                    for statement in statements_of(lines):
                        cursor.execute(statement)
                connection.commit()
            except (OSError, EOFError, UnicodeDecodeError):
                raise Failure(
                    "BackupDamaged",
                    "The dump of the MySQL database in the backup cannot be read. The database has a part of it, and no server starts with it. Use another"
                    " backup.",
                ) from None
            finally:
                connection.close()
        self.write_record("complete")

    def write_record(self, state: str) -> None:
        from sqlalchemy import text

        with engine(self.target) as database, database.begin() as connection:
            connection.execute(
                text(
                    f"CREATE TABLE IF NOT EXISTS {RESTORE_TABLE} (backup varchar(64) NOT NULL, state varchar(16) NOT NULL)"
                )
            )
            connection.execute(text(f"DELETE FROM {RESTORE_TABLE}"))
            connection.execute(
                text(f"INSERT INTO {RESTORE_TABLE} VALUES (:backup, :state)"), {"backup": self.backup, "state": state}
            )

    def clear(self) -> None:
        """Deletes what an interrupted restore has written: before it, the database was empty."""
        from sqlalchemy import text

        tables = self.tables()
        if not tables:
            return
        log(f"{self.target.name}: deleting {len(tables)} tables of an interrupted restore")
        with engine(self.target) as database, database.connect() as connection:
            connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
            for name, kind in tables:
                quoted = "`" + name.replace("`", "``") + "`"
                connection.exec_driver_sql(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {quoted}".replace("%", "%%"))


def statements_of(lines: IO[bytes]) -> Iterator[str]:
    """Yields the statements of mariadb-dump: each ends with its line, because line breaks in texts are escaped.

    Triggers have another delimiter. They belong to the user of the restore, who may not create them for another one.
    """
    statement, delimiter = "", ";"
    for line in lines:
        text = line.decode("utf-8")
        # The client of MariaDB has a comment for itself in the first line.
        if not statement and (text.startswith(("--", "/*M!999999")) or not text.strip()):
            continue
        if not statement and text.startswith("DELIMITER "):
            delimiter = text.split()[1]
            continue
        statement += text
        if statement.rstrip().endswith(delimiter):
            yield DEFINER.sub("", statement.rstrip().removesuffix(delimiter), count=1)
            statement = ""
    if statement.strip():
        raise EOFError


class Sqlite(DatabaseTarget):
    @property
    def path(self) -> Path:
        return Path(self.target.sqlite_path or "")

    def record(self) -> tuple[str, str] | None:
        if is_empty(self.target):
            return None
        with (
            contextlib.closing(sqlite3.connect(self.path)) as connection,
            contextlib.suppress(sqlite3.OperationalError),
        ):
            row = connection.execute(f"SELECT backup, state FROM {RESTORE_TABLE}").fetchone()
            return None if row is None else (str(row[0]), str(row[1]))
        return None

    def is_empty(self) -> bool:
        return is_empty(self.target)

    def fill(self, place: Source, file: File) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < file.size + SQLITE_SPARE:
            raise Failure(
                "DatabaseFull",
                f"The volume of the {self.target.place} has {free >> 20} MiB of free space, and its backup has {file.size >> 20}. Nothing was restored."
                " Enlarge the volume.",
            )
        draft = self.path.with_name(f"{self.path.name}.restoring")
        try:
            self.write(draft, place.verified(file))
        except BaseException:
            # The space is needed for the next attempt.
            remove(draft)
            raise
        # The log of an empty database would be applied to the new one.
        remove(self.path)
        draft.rename(self.path)
        sync(self.path.parent)

    def write(self, draft: Path, content: Iterator[bytes]) -> None:
        remove(draft)
        with open(draft, "wb") as made:
            for chunk in content:
                made.write(chunk)
            made.flush()
            os.fsync(made.fileno())
        with contextlib.closing(sqlite3.connect(draft)) as connection, connection:
            connection.execute(f"DROP TABLE IF EXISTS {RESTORE_TABLE}")
            connection.execute(f"CREATE TABLE {RESTORE_TABLE} (backup text NOT NULL, state text NOT NULL)")
            connection.execute(f"INSERT INTO {RESTORE_TABLE} VALUES (?, 'complete')", (self.backup,))


def remove(path: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)

"""Runs the migration program on databases with an earlier schema, in the installed MLflow."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "src"

# Migrates an empty database to a schema some revisions before the newest, and adds an experiment.
MAKE_EARLIER = """
import sys
from alembic import command
from alembic.script import ScriptDirectory
from mlflow.store.db.utils import InitialBase, _get_alembic_config, create_sqlalchemy_engine
from sqlalchemy import text
uri, back = sys.argv[1], int(sys.argv[2])
engine = create_sqlalchemy_engine(uri)
InitialBase.metadata.create_all(engine)
config = _get_alembic_config(uri)
revisions = [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()]
with engine.begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, revisions[back])
with engine.begin() as connection:
    connection.execute(text(
        "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, workspace)"
        " VALUES (7, 'kept', 'mlflow-artifacts:/7', 'active', 'default')"
    ))
print(revisions[0], revisions[back], file=sys.stderr)
"""


def make_earlier(uri: str, back: int = 3) -> tuple[str, str]:
    """Returns the newest revision and that of the database."""
    made = subprocess.run(
        [sys.executable, "-c", MAKE_EARLIER, uri, str(back)], check=True, capture_output=True, text=True
    )
    newest, earlier = made.stderr.strip().splitlines()[-1].split()
    return newest, earlier


def started(
    uri: str | None,
    more: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    program: str = "migrate.py",
) -> tuple[subprocess.Popen[str], Path]:
    """Starts a program on a tracking database, and returns the process and the file for its failure report."""
    report = Path(tempfile.mkstemp()[1])
    env = {
        **os.environ,
        "TRACKING_DATABASE_URI": uri or "",
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "TERMINATION_LOG": str(report),
        **(more or {}),
    }
    command = [*before, sys.executable, str(SOURCES / program)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True), report


def migrated(uri: str, more: Mapping[str, str] | None = None) -> tuple[int, dict[str, str], str]:
    """Returns exit code, report and output of one run."""
    process, report = started(uri, more)
    output, _ = process.communicate(timeout=300)
    text = report.read_text()
    return process.returncode, json.loads(text) if text else {}, output


def preflighted(uri: str | None, more: Mapping[str, str] | None = None) -> tuple[int, dict[str, str], str]:
    """The same of the program that checks a database before its migration; without a database it checks the image."""
    return ran("preflight.py", uri, more)


def ran(program: str, uri: str | None, more: Mapping[str, str] | None = None) -> tuple[int, dict[str, str], str]:
    """The same of another program."""
    process, report = started(uri, more, program=program)
    output, _ = process.communicate(timeout=300)
    text = report.read_text()
    return process.returncode, json.loads(text) if text else {}, output

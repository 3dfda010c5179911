"""Runs the restore program: as a process, or in this one, in which MLflow is loaded once."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import restore
from mlflow_outcome import Failure

PROGRAM = Path(__file__).parents[2] / "src" / "restore.py"


def started(settings: Mapping[str, str]) -> tuple[subprocess.Popen[str], Path]:
    """Starts the program, and returns the process and the file for its report."""
    report = Path(tempfile.mkstemp()[1])
    env = {**os.environ, "TERMINATION_LOG": str(report), **settings}
    command = [sys.executable, str(PROGRAM)]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True), report


def run(settings: Mapping[str, str]) -> tuple[int, dict[str, Any], str]:
    """Returns exit code, report and output of one run of the program."""
    process, report = started(settings)
    output, _ = process.communicate(timeout=600)
    text = report.read_text()
    return process.returncode, json.loads(text) if text else {}, output + text


def restored(settings: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
    """Returns the same of a run in this process."""
    with mock.patch.dict(os.environ, settings):
        try:
            return 0, restore.restored()
        except Failure as failure:
            return 1, {"reason": failure.reason, "message": failure.message}

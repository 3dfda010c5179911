"""Prints, as JSON, the environment variables that the Python packages of this interpreter read, each with the packages.

Found in the syntax trees: os.environ, os.getenv, the declarations of MLflow, the settings of mlflow-oidc-auth and the table
of botocore. What C libraries read (LD_PRELOAD, SSLKEYLOGFILE …) cannot be found this way.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import sysconfig
from pathlib import Path

NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
SETTING = re.compile(r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$")
TESTS = {"tests", "test", "testing", "_tests", "conftest.py"}
# Packages of tests in the same environment, or that a server does not run.
ELSEWHERE = {"pip", "pytest", "_pytest", "moto", "responses", "pluggy", "iniconfig", "gunicorn"}
# A file without any of these words reads no variable. Parsing all files would take minutes.
WORDS = re.compile(r"environ|getenv|nvironmentVariable|EnvVar|envvar|env_var")
# Packages whose variables are found in other ways.
ALWAYS_PARSED = {"botocore", "mlflow_oidc_auth"}


def is_environ(node: ast.expr, imported: set[str]) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ("environ", "environb")
    return isinstance(node, ast.Name) and node.id in imported


def text(node: ast.expr | None, constants: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return constants.get(node.id) if isinstance(node, ast.Name) else None


def names_in(tree: ast.Module, package: str) -> set[str]:
    constants: dict[str, str] = {}
    imported: set[str] = set()
    found: set[str | None] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            constants.update({target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)})
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            imported |= {each.asname or each.name for each in node.names if each.name.startswith("environ")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = text(node.args[0], constants) if node.args else None
            of_environ = isinstance(node.func, ast.Attribute) and is_environ(node.func.value, imported)
            if name.startswith("getenv") or of_environ or "nvironmentVariable" in name or "EnvVar" in name:
                found.add(first)
            elif package == "mlflow_oidc_auth" and name.startswith("get") and first and SETTING.match(first):
                found.add(first)
            found |= {text(each.value, constants) for each in node.keywords if each.arg in ("envvar", "env_var")}
        elif isinstance(node, ast.Subscript) and is_environ(node.value, imported):
            found.add(text(node.slice, constants))
        elif isinstance(node, ast.Compare) and any(is_environ(each, imported) for each in node.comparators):
            found.add(text(node.left, constants))
        elif package == "botocore" and isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} if re.match(r"^(AWS|BOTO)_[A-Z0-9_]+$", node.value) else set()
    return {each for each in found if each is not None and NAME.match(each)}


def main() -> int:
    site = Path(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_paths()["purelib"])
    variables: dict[str, set[str]] = {}
    for path in site.rglob("*.py"):
        parts = path.relative_to(site).parts
        package = parts[0].removesuffix(".py")
        if package in ELSEWHERE or TESTS & set(parts):
            continue
        source = path.read_text(encoding="utf-8", errors="replace")
        if package not in ALWAYS_PARSED and not WORDS.search(source):
            continue
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        for name in names_in(tree, package):
            variables.setdefault(name, set()).add(package)
    print(json.dumps({name: sorted(packages) for name, packages in sorted(variables.items())}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

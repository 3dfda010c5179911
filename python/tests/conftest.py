"""The tests that pytest leaves out where a package that they import is not installed: they run in MLflow's image (test/live)."""

import re
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
IMPORT = re.compile(
    r"^(?:from|import) (boto3|google|kubernetes|mlflow|mlflow_kubernetes_plugins|mlflow_oidc_auth|psycopg2|pymssql|pymysql|werkzeug)\b",
    re.M,
)

#: Tests that import programs, or other tests, which import these packages.
INDIRECT = {
    "mlflow_oidc_auth": ["middleware/test_oidc_grants.py"],
    "mlflow_kubernetes_plugins": ["middleware/test_kubernetes_identity.py"],
    "mlflow": [
        "migration/test_backup.py",
        "migration/test_backup_postgresql.py",
        "migration/test_check_artifacts.py",
        "migration/test_collect_garbage_postgresql.py",
        "migration/test_postgresql.py",
        "migration/test_restore.py",
        "migration/test_restore_mysql.py",
        "migration/test_restore_postgresql.py",
        "migration/test_sqlite.py",
        "migration/test_upgrade_preflight.py",
    ],
}

collect_ignore = [file for package, files in INDIRECT.items() if find_spec(package) is None for file in files] + [
    str(file.relative_to(HERE))
    for file in HERE.glob("*/test_*.py")
    if any(find_spec(package) is None for package in IMPORT.findall(file.read_text(encoding="utf-8")))
]

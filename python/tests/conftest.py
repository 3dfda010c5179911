"""The tests that pytest leaves out where a package that they need is not installed: they run in MLflow's image (test/live)."""

from importlib.util import find_spec

NEEDED = {
    "mlflow": [
        "middleware/test_access_reviews.py",
        "middleware/test_kubernetes_identity.py",
        "middleware/test_locations.py",
        "middleware/test_oidc.py",
        "migration/test_check_artifacts.py",
        "migration/test_sqlite.py",
        "migration/test_postgresql.py",
    ],
    "psycopg2": ["migration/test_postgresql.py"],
}

collect_ignore = [file for package, files in NEEDED.items() if find_spec(package) is None for file in files]

"""Tests of the reasons that the migration program reports for errors of PyMySQL and libpq."""

import ssl
import unittest
from typing import Any, cast

from migrate import Store, failure

MYSQL = Store("tracking", "", 'mysql database "mlflow" on db:3306 as user "mlflow"', "db", 3306, None, "mysql")
MSSQL = Store("tracking", "", 'mssql database "mlflow" on db:1433 as user "mlflow"', "db", 1433, None, "mssql")
POSTGRESQL = Store(
    "tracking", "", 'postgresql database "mlflow" on db:5432 as user "mlflow"', "db", 5432, None, "postgresql"
)


def of_driver(module: str, *args: object, state: str | None = None, original: Exception | None = None) -> Exception:
    """Returns an error as the driver raises it."""
    error: Any = type("OperationalError", (Exception,), {"__module__": module})(*args)
    error.sqlstate = state
    error.original_exception = original
    return cast(Exception, error)


class Reasons(unittest.TestCase):
    def reason(self, error: Exception, store: Store = MYSQL) -> str:
        result = failure(error, store, "Connecting", connecting=True)
        self.assertNotIn("secret", result.message)
        return result.reason

    def test_codes_of_mysql(self) -> None:
        for code, reason in {
            1040: "DatabaseUnreachable",
            1044: "DatabasePermissionDenied",
            1045: "DatabaseAuthenticationFailed",
            1049: "DatabaseNotFound",
            1130: "DatabaseAuthenticationFailed",
            1205: "DatabaseLocked",
            1290: "DatabaseReadOnly",
            2003: "DatabaseUnreachable",
            2026: "TLSVerificationFailed",
            3159: "TLSVerificationFailed",
            9999: "DatabaseRejected",
        }.items():
            with self.subTest(code):
                # MySQL has the SQLSTATE 42000 for most of them.
                error = of_driver("pymysql.err", code, "the text has a secret", state="42000")
                self.assertEqual(self.reason(error), reason)

    def test_codes_of_sql_server_and_its_driver(self) -> None:
        for code, reason in {
            229: "DatabasePermissionDenied",
            1205: "DatabaseLocked",
            3906: "DatabaseReadOnly",
            4060: "DatabaseNotFound",
            9002: "DatabaseFull",
            18456: "DatabaseAuthenticationFailed",
            20002: "DatabaseRejected",
            20009: "DatabaseUnreachable",
            40613: "DatabaseUnreachable",
        }.items():
            with self.subTest(code):
                error = of_driver("pymssql.exceptions", (code, b"the text has a secret"))
                self.assertEqual(self.reason(error, MSSQL), reason)
        denied = failure(of_driver("pymssql.exceptions", (262, b"secret")), MSSQL, "Migrating")
        self.assertIn("db_owner", denied.message)

    def test_a_failed_handshake_has_the_code_of_an_unreachable_server(self) -> None:
        for original in (ssl.SSLCertVerificationError("secret"), ssl.SSLError("secret")):
            error = of_driver("pymysql.err", 2003, "secret", original=original)
            self.assertEqual(self.reason(error), "TLSVerificationFailed")
        refused = of_driver("pymysql.err", 2003, "secret", original=ConnectionRefusedError())
        self.assertEqual(self.reason(refused), "DatabaseUnreachable")

    def test_a_missing_file_of_a_client_is_one_for_tls(self) -> None:
        self.assertEqual(self.reason(FileNotFoundError(2, "secret")), "TLSVerificationFailed")

    def test_remedies_fit_the_database(self) -> None:
        for store, remedy in ((MYSQL, "GRANT ALL PRIVILEGES"), (POSTGRESQL, "USAGE and CREATE")):
            error = of_driver("pymysql.err", 1142) if store is MYSQL else of_driver("psycopg2", state="42501")
            message = failure(error, store, "Migrating").message
            self.assertIn(remedy, message)

    def test_a_missing_client_certificate_of_postgresql(self) -> None:
        error = of_driver("psycopg2", "FATAL:  connection requires a valid client certificate")
        self.assertEqual(self.reason(error, POSTGRESQL), "DatabaseAuthenticationFailed")


if __name__ == "__main__":
    unittest.main()

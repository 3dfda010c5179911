"""Tests of the rotation in databases, with the installed MLflow: what is encrypted again, what is left, and what is reported."""

import dataclasses
import functools
import os
import shutil
import sqlite3
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography.fernet import Fernet, InvalidToken
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent
from mlflow.exceptions import MlflowException
from mlflow.server import auth
from mlflow.store.model_registry.dbmodels import models
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils import crypto

import migrate
import rotate
from migration_process import ran
from mlflow_operator import accepted_keys
from mlflow_outcome import Failure

OLD, NEW = "old-passphrase-of-tests", "new-passphrase-of-tests"
OLD_KEY, NEW_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
EVENT = WebhookEvent(WebhookEntity.REGISTERED_MODEL, WebhookAction.CREATED)


@functools.cache
def empty_database() -> Path:
    """A database with MLflow's tables, which take seconds to create."""
    path = Path(tempfile.mkdtemp()) / "empty.db"
    SqlAlchemyStore(f"sqlite:///{path}", "mlflow-artifacts:/").engine.dispose()
    auth.store.init_db(f"sqlite:///{path}")
    return path


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        shutil.copy(empty_database(), folder / "mlflow.db")
        self.path = folder / "mlflow.db"
        self.uri = f"sqlite:///{self.path}"
        self.store = SqlAlchemyStore(self.uri, "mlflow-artifacts:/")
        self.addCleanup(self.store.engine.dispose)

    def rotated(self, name: str, **more: str) -> tuple[int, dict[str, str], str]:
        return ran("rotate.py", self.uri, {"ROTATION": name, **more})

    def rows(self, statement: str) -> list[Any]:
        with sqlite3.connect(self.path) as connection:
            return connection.execute(statement).fetchall()


class Credentials(Case):
    keys = {
        "MLFLOW_CRYPTO_KEK_PASSPHRASE": NEW,
        "MLFLOW_CRYPTO_KEK_VERSION": "2",
        "MLFLOW_OPERATOR_ACCEPTED_KEK_PASSPHRASE": OLD,
        "MLFLOW_OPERATOR_ACCEPTED_KEK_VERSION": "1",
    }

    def created(self, name: str, passphrase: str, version: str) -> str:
        environment = {"MLFLOW_CRYPTO_KEK_PASSPHRASE": passphrase, "MLFLOW_CRYPTO_KEK_VERSION": version}
        with mock.patch.dict(os.environ, environment):
            return str(self.store.create_gateway_secret(name, {"api_key": f"value-of-{name}"}).secret_id)

    def read(self, secret_id: str, passphrase: str = NEW, version: str = "2") -> Any:
        environment = {"MLFLOW_CRYPTO_KEK_PASSPHRASE": passphrase, "MLFLOW_CRYPTO_KEK_VERSION": version}
        with mock.patch.dict(os.environ, environment):
            return self.store._get_decrypted_secret(secret_id)

    def test_all_are_encrypted_with_the_current_passphrase_and_the_others_stay(self) -> None:
        old = [self.created(f"old-{number}", OLD, "1") for number in range(3)]
        new, lost = self.created("new", NEW, "2"), self.created("lost", "another-passphrase", "1")
        [before] = self.rows(
            f"SELECT wrapped_dek, encrypted_value, kek_version FROM secrets WHERE secret_id = '{lost}'"
        )
        code, report, output = self.rotated("encryption-key", **self.keys)
        self.assertEqual((code, report), (0, {}), output)
        self.assertIn("3 credentials of providers encrypted again; 1 can be read with neither key", output)
        for number, secret_id in enumerate(old):
            self.assertEqual(self.read(secret_id), {"api_key": f"value-of-old-{number}"})
            with self.assertRaises(MlflowException):
                self.read(secret_id, OLD, "1")
        self.assertEqual(self.read(new), {"api_key": "value-of-new"})
        [after] = self.rows(f"SELECT wrapped_dek, encrypted_value, kek_version FROM secrets WHERE secret_id = '{lost}'")
        self.assertEqual(after, before)
        self.assertEqual(self.rows("SELECT count(*) FROM secrets WHERE kek_version = 2"), [(4,)])

    def test_a_second_run_changes_nothing(self) -> None:
        self.created("one", OLD, "1")
        self.rotated("encryption-key", **self.keys)
        before = self.rows("SELECT * FROM secrets")
        code, _, output = self.rotated("encryption-key", **self.keys)
        self.assertEqual((code, self.rows("SELECT * FROM secrets")), (0, before))
        self.assertIn("0 credentials of providers encrypted again; 0 can", output)

    def test_a_row_that_a_server_changes_meanwhile_keeps_its_new_value(self) -> None:
        secret_id = self.created("one", OLD, "1")
        with mock.patch.dict(os.environ, self.keys):
            rows = rotate.credentials()
            target = migrate.store("tracking", self.uri, "test")

            def again(row: Any) -> Any:
                values = rows.again(row)
                with sqlite3.connect(self.path) as server:
                    server.execute("UPDATE secrets SET wrapped_dek = ?", (values and values["wrapped_dek"],))
                return {"wrapped_dek": b"of a row that is no longer there"}

            with migrate.engine(target) as database:
                rotate.encrypt_again(database, dataclasses.replace(rows, again=again))
        self.assertEqual(self.read(secret_id), {"api_key": "value-of-one"})

    def test_a_missing_key_and_an_unreachable_database_are_reported_without_secrets(self) -> None:
        code, report, _ = self.rotated("encryption-key", MLFLOW_CRYPTO_KEK_PASSPHRASE=NEW)
        self.assertEqual((code, report["reason"]), (1, "ConfigurationInvalid"))
        self.uri = "postgresql://user:hunter2@127.0.0.1:1/mlflow"
        code, report, output = self.rotated("encryption-key", **self.keys)
        self.assertEqual((code, report["reason"]), (1, "DatabaseUnreachable"))
        for secret in ("hunter2", OLD, NEW):
            self.assertNotIn(secret, output + report["message"])


class Webhooks(Case):
    keys = {"MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": NEW_KEY, "MLFLOW_OPERATOR_ACCEPTED_WEBHOOK_KEY": OLD_KEY}

    def inserted(self, name: str, key: str | None) -> None:
        secret = None if key is None else Fernet(key).encrypt(f"secret-of-{name}".encode()).decode()
        with sqlite3.connect(self.path) as connection:
            connection.execute(
                "INSERT INTO webhooks (webhook_id, name, url, status, secret, workspace) VALUES (?, ?, 'https://h', 'ACTIVE', ?, 'default')",
                (name, name, secret),
            )

    def test_all_secrets_are_encrypted_with_the_current_key_and_the_others_stay(self) -> None:
        self.inserted("old", OLD_KEY)
        self.inserted("new", NEW_KEY)
        self.inserted("none", None)
        self.inserted("lost", Fernet.generate_key().decode())
        code, report, output = self.rotated("webhook-key", **self.keys)
        self.assertEqual((code, report), (0, {}), output)
        self.assertIn("1 secrets of webhooks encrypted again; 1 can be read with neither key", output)
        found = dict(self.rows("SELECT name, secret FROM webhooks"))
        self.assertEqual(Fernet(NEW_KEY).decrypt(found["old"].encode()), b"secret-of-old")
        self.assertEqual(Fernet(NEW_KEY).decrypt(found["new"].encode()), b"secret-of-new")
        self.assertIsNone(found["none"])


class Passwords(Case):
    def rotated_to(self, username: str, password: str) -> tuple[int, dict[str, str], str]:
        admin = {"MLFLOW_AUTH_ADMIN_USERNAME": username, "MLFLOW_AUTH_ADMIN_PASSWORD": password}
        return self.rotated("admin-password", AUTH_DATABASE_URI=self.uri, **admin)

    def test_the_password_of_the_administrator_is_set_without_the_previous_one(self) -> None:
        auth.store.init_db(self.uri)
        auth.store.create_user("admin", "first-password", is_admin=True)
        code, report, output = self.rotated_to("admin", "second-password")
        self.assertEqual((code, report), (0, {}), output)
        self.assertTrue(auth.store.authenticate_user("admin", "second-password"))
        self.assertFalse(auth.store.authenticate_user("admin", "first-password"))
        self.assertNotIn("second-password", output)
        self.assertEqual(self.rotated_to("admin", "second-password")[0], 0)

    def test_an_administrator_with_a_new_name_is_created(self) -> None:
        self.assertEqual(self.rotated_to("root", "another-password")[0], 0)
        auth.store.init_db(self.uri)
        self.assertTrue(auth.store.get_user("root").is_admin)

    def test_a_user_who_is_no_administrator_keeps_the_password(self) -> None:
        auth.store.init_db(self.uri)
        auth.store.create_user("bob", "password-of-bob")
        code, report, _ = self.rotated_to("bob", "another-password")
        self.assertEqual((code, report["reason"]), (1, "AdminPasswordRejected"))
        self.assertTrue(auth.store.authenticate_user("bob", "password-of-bob"))


class AcceptedKeys(Case):
    def test_credentials_with_either_passphrase_are_read_and_new_ones_have_the_current(self) -> None:
        old = Credentials.created(self, "one", OLD, "1")  # type: ignore[arg-type]
        with mock.patch.object(crypto, "unwrap_dek", crypto.unwrap_dek):
            accepted_keys.install(Credentials.keys)
            new = Credentials.created(self, "two", NEW, "2")  # type: ignore[arg-type]
            for secret_id in (old, new):
                self.assertIn("api_key", Credentials.read(self, secret_id))  # type: ignore[arg-type]
        self.assertIn("api_key", Credentials.read(self, new))  # type: ignore[arg-type]
        with self.assertRaises(MlflowException):
            Credentials.read(self, old)  # type: ignore[arg-type]

    def test_secrets_of_webhooks_with_either_key_are_read(self) -> None:
        secret = models.SqlWebhook.__table__.c.secret.type
        registry = Registry(self.uri)
        self.addCleanup(registry.engine.dispose)
        kept = models.EncryptedString.process_result_value
        self.addCleanup(setattr, models.EncryptedString, "process_result_value", kept)
        with mock.patch.object(secret, "cipher", Fernet(OLD_KEY)):
            registry.create_webhook("one", "https://93.184.215.14", [EVENT], secret="s")
        value = self.rows("SELECT secret FROM webhooks")[0][0]
        with mock.patch.object(secret, "cipher", Fernet(NEW_KEY)):
            with self.assertRaises(InvalidToken):
                secret.process_result_value(value, None)
            accepted_keys.install({accepted_keys.WEBHOOK: OLD_KEY})
            self.assertEqual(secret.process_result_value(value, None), "s")
            self.assertEqual(Fernet(NEW_KEY).decrypt(secret.process_bind_param("t", None).encode()), b"t")

    def test_sessions_of_either_key_are_accepted_and_new_ones_have_the_current(self) -> None:
        from mlflow.server import app

        def cookie(key: str) -> str:
            app.secret_key = key
            serializer = app.session_interface.get_signing_serializer(app)
            return str(serializer.dumps({"user": "alice"}) if serializer else "")

        self.addCleanup(app.config.update, SECRET_KEY_FALLBACKS=None)
        old = cookie("old-session-key")
        accepted_keys.install_sessions("basic-auth", {accepted_keys.SESSION: "old-session-key"})
        app.secret_key = "new-session-key"
        serializer = app.session_interface.get_signing_serializer(app)
        assert serializer is not None
        self.assertEqual(serializer.loads(old), {"user": "alice"})
        new = serializer.dumps({"user": "bob"})
        app.config["SECRET_KEY_FALLBACKS"] = None
        serializer = app.session_interface.get_signing_serializer(app)
        assert serializer is not None
        self.assertEqual(serializer.loads(new), {"user": "bob"})

    def test_another_mlflow_does_not_start_during_a_rotation(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "no unwrap_dek"):
            accepted_keys.accept_passphrase(mock.Mock(spec=[], __name__="mlflow.utils.crypto"), OLD, 1)


class Reports(unittest.TestCase):
    def test_an_unknown_rotation_is_a_configuration_error(self) -> None:
        with (
            mock.patch.dict(os.environ, {"TRACKING_DATABASE_URI": "sqlite:////tmp/none.db"}),
            self.assertRaises(Failure),
        ):
            rotate.rotate("admin-password")


if __name__ == "__main__":
    unittest.main()

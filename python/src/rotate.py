"""Completes a rotation in the databases of an MLflow server: encrypts rows again with the current key, or sets the administrator's password.

Runs in the MLflow image, as a Job, while the server's pods run: they read both keys and write with the current one. All rows are changed in one
transaction, each only if it still has the value that was read, and afterwards all are read again with the current key. It is idempotent: an interrupted
run changes nothing or everything, and the next one continues. Rows that neither key can decrypt are left as they are, and counted in the log.

Environment:
  ROTATION                                   encryption-key, webhook-key or admin-password
  TRACKING_DATABASE_*, AUTH_DATABASE_*       the databases, as for the migration
  MLFLOW_CRYPTO_KEK_PASSPHRASE, MLFLOW_CRYPTO_KEK_VERSION, MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY   the current keys
  MLFLOW_OPERATOR_ACCEPTED_KEK_PASSPHRASE, MLFLOW_OPERATOR_ACCEPTED_KEK_VERSION, MLFLOW_OPERATOR_ACCEPTED_WEBHOOK_KEY   the previous ones
  MLFLOW_AUTH_ADMIN_USERNAME, MLFLOW_AUTH_ADMIN_PASSWORD   the administrator, who is created unless a user of that name exists
  TERMINATION_LOG                            where a failure is reported; default /dev/termination-log

Exit code 0: it is complete and verified. Exit code 1: one line of JSON, {"reason", "message"}. Reasons: those of the migration, AdminPasswordRejected, RotationFailed.
No key, password or text of an exception is ever written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import migrate
from mlflow_outcome import Failure, completed, end_on_sigterm, log, succeed

# How often rows are read again that a server changed in the meantime.
ATTEMPTS = 5


@dataclass(frozen=True)
class Encrypted:
    """A table with encrypted values, and how a row is encrypted again."""

    name: str
    table: Any
    #: The column that identifies a row, and the one that must not have changed.
    identity: Any
    value: Any
    #: Whether a row can be read with the current key.
    is_current: Callable[[Any], bool]
    #: The values of the row with the current key; None if the previous key cannot decrypt it.
    again: Callable[[Any], dict[str, Any] | None]


def credentials() -> Encrypted:
    """The credentials of providers: each is encrypted with a separate key, which the passphrase encrypts."""
    from mlflow.exceptions import MlflowException
    from mlflow.utils import crypto
    from sqlalchemy import Integer, LargeBinary, String, column, table

    columns = column("secret_id", String), column("secret_name", String), column("encrypted_value", LargeBinary)
    wrapped, version = column("wrapped_dek", LargeBinary), column("kek_version", Integer)
    current = crypto.KEKManager()
    number = int(os.environ.get("MLFLOW_OPERATOR_ACCEPTED_KEK_VERSION") or "1")
    former = crypto.KEKManager(required("MLFLOW_OPERATOR_ACCEPTED_KEK_PASSPHRASE"), number)

    def decrypts(row: Any, wrapped_dek: bytes, manager: Any) -> bool:
        try:
            crypto._decrypt_secret(row.encrypted_value, wrapped_dek, manager, row.secret_id, row.secret_name)
        except MlflowException:
            return False
        return True

    def again(row: Any) -> dict[str, Any] | None:
        if not decrypts(row, row.wrapped_dek, former):
            return None
        made = crypto.rotate_secret_encryption(row.encrypted_value, row.wrapped_dek, former, current).wrapped_dek
        return {"wrapped_dek": made, "kek_version": current.kek_version}

    return Encrypted(
        name="credentials of providers",
        table=table("secrets", *columns, wrapped, version),
        identity=columns[0],
        value=wrapped,
        is_current=lambda row: decrypts(row, row.wrapped_dek, current),
        again=again,
    )


def webhooks() -> Encrypted:
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet
    from sqlalchemy import String, column, table

    identity, secret = column("webhook_id", String), column("secret", String)
    current = Fernet(required("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY"))
    both = MultiFernet([current, Fernet(required("MLFLOW_OPERATOR_ACCEPTED_WEBHOOK_KEY"))])

    def is_current(row: Any) -> bool:
        try:
            current.decrypt(row.secret.encode())
        except InvalidToken:
            return False
        return True

    def again(row: Any) -> dict[str, Any] | None:
        try:
            return {"secret": both.rotate(row.secret.encode()).decode()}
        except InvalidToken:
            return None

    table_of = table("webhooks", identity, secret)
    return Encrypted("secrets of webhooks", table_of, identity, secret, is_current, again)


def required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise migrate.configuration_error(f"{name} is empty, so nothing was changed.")
    return value


def encrypt_again(database: Any, rows: Encrypted) -> None:
    """Encrypts rows with the current key, and reads all again. A row that a server has just changed has the current key already."""
    from sqlalchemy import select, update

    statement = select(rows.table).where(rows.value.is_not(None))
    total = 0
    for _ in range(ATTEMPTS):
        changed = missed = 0
        with database.begin() as connection:
            for row in connection.execute(statement).all():
                values = None if rows.is_current(row) else rows.again(row)
                if values is None:
                    continue
                same = (rows.identity == getattr(row, rows.identity.name)) & (
                    rows.value == getattr(row, rows.value.name)
                )
                done = connection.execute(update(rows.table).where(same).values(**values)).rowcount == 1
                changed, missed = changed + done, missed + (not done)
        total += changed
        if missed == 0:
            break
    with database.connect() as connection:
        left = [row for row in connection.execute(statement).all() if not rows.is_current(row)]
    if any(rows.again(row) is not None for row in left):
        raise Failure(
            "RotationFailed",
            f"Some {rows.name} still have the previous key, because pods write with it. Pods keep accepting it, and the Job tries again."
            " If this lasts, check that no other server uses this database.",
        )
    log(f"{total} {rows.name} encrypted again; {len(left)} can be read with neither key and were left as they are")


def set_password(target: migrate.Store) -> None:
    """Sets the password of the administrator in MLflow's users, and checks that MLflow accepts it."""
    from mlflow.server import auth

    username, password = required("MLFLOW_AUTH_ADMIN_USERNAME"), required("MLFLOW_AUTH_ADMIN_PASSWORD")
    auth.store.init_db(target.uri)
    if not auth.store.has_user(username):
        auth.create_admin_user(username, password)
        log("the administrator is created")
    elif not auth.store.get_user(username).is_admin:
        raise Failure(
            "AdminPasswordRejected",
            "The Secret of the administrator has the name of a user who is not an administrator, so the password was not set. Use the name"
            " of an administrator or a new one, or make the user an administrator in MLflow.",
        )
    elif not auth.store.authenticate_user(username, password):
        auth.store.update_user(username, password=password)
        log("the password of the administrator is set")
    if not auth.store.authenticate_user(username, password):
        raise Failure("RotationFailed", "MLflow does not accept the password that was just set. The Job tries again.")


def rotate(name: str) -> None:
    targets = migrate.stores()
    found = [each for each in targets if each.name == ("auth" if name == "admin-password" else "tracking")]
    if name not in ("encryption-key", "webhook-key", "admin-password") or not found:
        raise migrate.configuration_error("ROTATION has a value that this server cannot have.")
    [target] = found
    migrate.limit_transactions()
    message = f"Connecting: the {target.place} {migrate.REMEDIES['DatabaseUnreachable']}"
    with migrate.phase("connect", Failure("DatabaseUnreachable", message)):
        migrate.connect(target)
    try:
        if name == "admin-password":
            return set_password(target)
        with migrate.engine(target) as database:
            encrypt_again(database, credentials() if name == "encryption-key" else webhooks())
    except Exception as error:
        raise of_rotation(error, target) from None


def of_rotation(error: Exception, target: migrate.Store) -> Failure:
    """Returns the reason and message for an exception, from known parts only."""
    if isinstance(error, Failure):
        return error
    if migrate.reason_of(error) is not None:
        return migrate.failure(error, target, "Rotating")
    kinds = " < ".join(dict.fromkeys(type(each).__name__ for each in migrate.causes(error)))
    return Failure(
        "RotationFailed",
        f"Rotating in the {target.place} failed with {kinds} at {migrate.origin(error)}. Nothing was changed.",
    )


def main() -> NoReturn:
    end_on_sigterm()
    migrate.log_steps()
    completed(
        lambda: rotate(os.environ.get("ROTATION", "")),
        lambda error: Failure(
            "RotationFailed", f"The program failed with {type(error).__name__} at {migrate.origin(error)}."
        ),
    )
    succeed()


if __name__ == "__main__":
    main()

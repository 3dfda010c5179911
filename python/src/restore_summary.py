"""Counts what a restored server has, and checks that the keys decrypt its credentials. The result has numbers only."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from migrate import Store, engine

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

TABLES = {"experiments": "experiments", "runs": "runs", "registeredModels": "registered_models"}


def summary_of(targets: list[Store]) -> dict[str, int]:
    """Returns numbers of rows. A table that the schema of the backup does not have counts as empty."""
    found: dict[str, int] = {}
    for target in targets:
        with engine(target) as database, database.connect() as connection:
            if target.name == "tracking":
                found.update({name: count(connection, table) for name, table in TABLES.items()})
                found.update(credentials(connection))
            else:
                found["users"] = count(connection, "users")
    return found


def has_table(connection: Connection, table: str) -> bool:
    from sqlalchemy import inspect

    return bool(inspect(connection).has_table(table))


def count(connection: Connection, table: str) -> int:
    from sqlalchemy import text

    return (
        int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
        if has_table(connection, table)
        else 0
    )


def credentials(connection: Connection) -> dict[str, int]:
    """Returns the numbers of encrypted values, credentials of providers and secrets of webhooks, and of those that the keys do not decrypt."""
    from sqlalchemy import text

    total, unreadable = 0, 0
    if has_table(connection, "secrets"):
        statement = "SELECT encrypted_value, wrapped_dek, kek_version, secret_id, secret_name FROM secrets"
        for row in connection.execute(text(statement)):
            total += 1
            unreadable += not decrypts(*row)
    if has_table(connection, "webhooks"):
        for (value,) in connection.execute(text("SELECT secret FROM webhooks WHERE secret IS NOT NULL")):
            total += 1
            unreadable += not is_of_webhook_key(str(value))
    return {"credentials": total, "unreadableCredentials": unreadable}


managers: dict[tuple[str, int], Any] = {}


def decrypts(value: bytes, wrapped: bytes, version: int, identity: str, name: str) -> bool:
    from mlflow.utils.crypto import KEKManager, _decrypt_secret

    with contextlib.suppress(Exception):
        # Deriving a key takes half a second.
        key = (os.environ.get("BACKUP_KEK_PASSPHRASE", ""), version)
        if key not in managers:
            managers[key] = KEKManager(*key)
        _decrypt_secret(bytes(value), bytes(wrapped), managers[key], identity, name)
        return True
    return False


def is_of_webhook_key(value: str) -> bool:
    from cryptography.fernet import Fernet

    with contextlib.suppress(Exception):
        Fernet(os.environ.get("BACKUP_WEBHOOK_KEY", "")).decrypt(value.encode())
        return True
    return False

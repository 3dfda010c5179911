"""MLflow's accounts for users of the directory: MLflow stores permissions by account."""

from __future__ import annotations

import secrets
from typing import Protocol

from mlflow.exceptions import MlflowException


class User(Protocol):
    is_admin: bool


class Store(Protocol):
    """The part of MLflow's user store that is used here."""

    def has_user(self, username: str) -> bool: ...

    def get_user(self, username: str) -> User: ...

    def create_user(self, username: str, password: str, is_admin: bool = False) -> User: ...

    def update_user(self, username: str, password: str | None = None, is_admin: bool | None = None) -> User: ...


def enrol(store: Store, name: str, is_admin: bool) -> None:
    """Creates the user if missing, and makes it an administrator exactly if the directory does.

    MLflow requires a password for a user: it is random and never used.
    """
    if not store.has_user(name):
        try:
            store.create_user(name, secrets.token_urlsafe(32), is_admin)
        except MlflowException:
            # Another replica has created the user.
            if not store.has_user(name):
                raise
    if store.get_user(name).is_admin != is_admin:
        store.update_user(name, is_admin=is_admin)

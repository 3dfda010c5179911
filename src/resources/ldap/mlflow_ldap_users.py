"""The users of MLflow that stand for those of the directory: MLflow keeps permissions by them."""

from __future__ import annotations

import secrets
from typing import Protocol

from mlflow.exceptions import MlflowException


class User(Protocol):
    is_admin: bool


class Store(Protocol):
    """What is needed of MLflow's store of users."""

    def has_user(self, username: str) -> bool: ...

    def get_user(self, username: str) -> User: ...

    def create_user(self, username: str, password: str, is_admin: bool = False) -> User: ...

    def update_user(self, username: str, password: str | None = None, is_admin: bool | None = None) -> User: ...


def enrol(store: Store, name: str, is_admin: bool) -> None:
    """Sees to it that the user exists and is an administrator if the directory says so, and only then.

    The password that MLflow wants for a user is random and nobody's: nothing ever asks for it.
    """
    if not store.has_user(name):
        try:
            store.create_user(name, secrets.token_urlsafe(32), is_admin)
        except MlflowException:
            # Another replica was faster.
            if not store.has_user(name):
                raise
    if store.get_user(name).is_admin != is_admin:
        store.update_user(name, is_admin=is_admin)

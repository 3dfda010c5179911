"""While keys are rotated, reads what is signed or encrypted with the other key of the Secret, too: the next one, or the previous one.

Pods are replaced one by one, so for a while some write with the new key and others with the previous one. All read both. What is written
has the current key. If a release of MLflow or of its plugin no longer has what is replaced here, the server does not start during a rotation.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from typing import Any

SESSION, PASSPHRASE, VERSION, WEBHOOK = (
    "MLFLOW_OPERATOR_ACCEPTED_SESSION_KEY",
    "MLFLOW_OPERATOR_ACCEPTED_KEK_PASSPHRASE",
    "MLFLOW_OPERATOR_ACCEPTED_KEK_VERSION",
    "MLFLOW_OPERATOR_ACCEPTED_WEBHOOK_KEY",
)


def install(environment: Mapping[str, str] = os.environ) -> None:
    """Accepts the other encryption keys. Called before MLflow reads from its database."""
    if passphrase := environment.get(PASSPHRASE):
        accept_passphrase(import_module("mlflow.utils.crypto"), passphrase, int(environment.get(VERSION) or "1"))
    if key := environment.get(WEBHOOK):
        accept_webhook_key(import_module("mlflow.store.model_registry.dbmodels.models"), key)


def install_sessions(name: str, environment: Mapping[str, str] = os.environ) -> None:
    """Accepts the other session key. Called before the application of this name is created."""
    if not (key := environment.get(SESSION)):
        return
    import_module("mlflow.server").app.config["SECRET_KEY_FALLBACKS"] = [key]
    if name == "oidc-auth":
        accept_signatures(import_module("starlette.middleware.sessions").SessionMiddleware, key)
        accept_tokens(import_module("mlflow_oidc_auth.session.token_vault"), key)


def required(owner: Any, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(owner, name, None)
    if not callable(function):
        raise RuntimeError(f"{owner.__name__} has no {name}. What has the other key would not be read.")
    return function


def accept_passphrase(crypto: Any, passphrase: str, version: int) -> None:
    """Unwraps the keys of stored credentials with this passphrase, too. The version is part of the derivation."""
    unwrap = required(crypto, "unwrap_dek")
    other = crypto.KEKManager(passphrase, version).get_kek()

    @wraps(unwrap)
    def unwrapped(wrapped: bytes, kek: bytes) -> Any:
        try:
            return unwrap(wrapped, kek)
        except crypto.MlflowException:
            return unwrap(wrapped, other)

    crypto.unwrap_dek = unwrapped


def accept_webhook_key(models: Any, key: str) -> None:
    """Decrypts secrets of webhooks with this key, too."""
    from cryptography.fernet import Fernet, InvalidToken

    decrypt = required(models.EncryptedString, "process_result_value")
    other = Fernet(key)

    @wraps(decrypt)
    def decrypted(self: Any, value: str | None, dialect: Any) -> Any:
        try:
            return decrypt(self, value, dialect)
        except InvalidToken:
            return other.decrypt((value or "").encode()).decode()

    models.EncryptedString.process_result_value = decrypted


def accept_signatures(middleware: Any, key: str) -> None:
    """Accepts session cookies that are signed with this key, too."""
    import itsdangerous

    create = required(middleware, "__init__")

    @wraps(create)
    def created(self: Any, app: Any, secret_key: Any, *args: Any, **named: Any) -> None:
        create(self, app, secret_key, *args, **named)
        # Signs with the last key.
        self.signer = itsdangerous.TimestampSigner([key, str(secret_key)])

    middleware.__init__ = created


def accept_tokens(vault: Any, key: str) -> None:
    """Decrypts the tokens of sessions with this key, too."""
    from cryptography.fernet import Fernet, MultiFernet

    derive = required(vault, "_derive_key")
    create = required(vault.TokenVault, "__init__")

    @wraps(create)
    def created(self: Any, *args: Any, **named: Any) -> None:
        create(self, *args, **named)
        self._fernet = MultiFernet([self._fernet, Fernet(derive(key))])

    vault.TokenVault.__init__ = created

"""The grants of spec.access in MLflow's own permissions: with basic authentication, and with a directory.

MLflow 3.17 reads all grants of a user with `list_grants` and selects those of a resource with `fold_grants_for_key`; MLflow 3.16 reads the permission
on one resource, and selects the rows of a list with `_role_based_read_predicate`. An explicit DENY in MLflow's database stays a denial, and
administrators are decided before. If a release of MLflow has none of these functions, the server does not start.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextvars import ContextVar
from importlib import import_module
from typing import Any

from flask import has_request_context
from mlflow.exceptions import MlflowException

from . import grants_names
from .grants import EXPERIMENT, MODEL
from .grants_file import GrantsFile
from .users import Memory

Groups = Callable[[str], frozenset[Hashable]]

#: The kinds of resources in MLflow's permissions. A scorer belongs to an experiment, and a prompt is a model with a tag.
KINDS = {"experiment": EXPERIMENT, "scorer": EXPERIMENT, "registered_model": MODEL, "prompt": MODEL}

#: How many users of a request are kept.
LAST_USERS = 4

#: The names of the users that were read last, by their ids: MLflow reads a user, and then the grants of its id.
users: ContextVar[dict[int, str] | None] = ContextVar("users", default=None)


class Granted(list[Any]):
    """Grants of MLflow's database, with the user who has them."""

    def __init__(self, rows: Sequence[Any], username: str) -> None:
        super().__init__(rows)
        self.username = username


class Added:
    """MLflow's permissions with those of the grants."""

    def __init__(self, auth: Any, file: GrantsFile, groups_of: Groups, memory: Memory) -> None:
        self._auth = auth
        self._file = file
        self._groups_of = groups_of
        self.names = grants_names.install(file, self.may_rename, memory.clear)
        self._permissions = import_module("mlflow.server.auth.permissions")

    def may_rename(self, kind: str, identifier: str) -> bool:
        """Whether the sender of the request, which renames this resource, can manage it."""
        auth = self._auth
        if not has_request_context():
            return False
        if auth.sender_is_admin():
            return True
        username = auth.authenticate_request().username
        if kind == EXPERIMENT:
            return bool(auth._get_experiment_permission(identifier, username).can_manage)
        model = auth._get_model_registry_store().get_registered_model(identifier)
        resource_type = "prompt" if model._is_prompt() else "registered_model"
        read = auth._role_permission_for_known_workspace(username, resource_type, identifier, None)
        return bool(auth._get_role_permission_or_default(read).can_manage)

    def permission(self, username: str, resource_type: str, key: str | None) -> str | None:
        """Returns the permission of the grants on a resource of MLflow."""
        kind = KINDS.get(resource_type)
        if kind is None or key is None or key == "*":
            return None

        def name() -> str | None:
            if kind == MODEL:
                return self.names.model(key)
            experiment = key.partition("/")[0]
            # A scorer has its own permissions. One that is not granted in the database follows the experiment, also a denial.
            is_denied = (
                resource_type == "scorer" and self._auth._get_experiment_permission(experiment, username).name == "DENY"
            )
            return None if is_denied else self.names.experiments.get(experiment)

        try:
            return self._file.grants().permission(username, lambda: self._groups_of(username), kind, name)
        except (RuntimeError, AttributeError) as error:
            # MLflow does not filter the runs of experiments after one of these.
            raise MlflowException(f"The grants of spec.access cannot be evaluated: {type(error).__name__}") from error

    def combined(self, found: Any, username: str, resource_type: str, key: str | None) -> Any:
        """Returns the higher one of MLflow's permission on a resource, which can be None, and that of the grants."""
        if found is not None and (found.name == "DENY" or found.can_manage):
            return found
        added = self.permission(username, resource_type, key)
        if added is None:
            return found
        highest = added if found is None else self._permissions.max_permission(found.name, added)
        return self._permissions.get_permission(highest)


def name_users(store: Any) -> None:
    read = store.get_user

    def get_user(username: str) -> Any:
        user = read(username)
        known = list((users.get() or {}).items())[1 - LAST_USERS :]
        # The name in the database, which MySQL finds by others as well.
        users.set({**dict(known), user.id: user.username})
        return user

    store.get_user = get_user


def named(user_id: int) -> str | None:
    return (users.get() or {}).get(user_id)


def add_to_grants(auth: Any, added: Added) -> None:
    """For MLflow 3.17."""
    read, fold = auth.store.list_grants, auth.fold_grants_for_key

    def list_grants(user_id: int, *args: Any, **options: Any) -> Any:
        rows, username = read(user_id, *args, **options), named(user_id)
        return rows if username is None else Granted(rows, username)

    def fold_grants_for_key(grants: Any, key: Any) -> Any:
        found = fold(grants, key)
        if not isinstance(grants, Granted):
            return found
        return added.combined(found, grants.username, key.resource_type, key.resource_id)

    auth.store.list_grants = list_grants
    auth.fold_grants_for_key = fold_grants_for_key


def add_to_permissions(auth: Any, added: Added) -> None:
    """For MLflow 3.16."""
    read, select = auth.store.get_role_permission_for_resource, auth._role_based_read_predicate

    def get_role_permission_for_resource(user_id: int, resource_type: str, resource_id: str, workspace: str) -> Any:
        found, username = read(user_id, resource_type, resource_id, workspace), named(user_id)
        return found if username is None else added.combined(found, username, resource_type, resource_id)

    def predicate(username: str, resource_type: str) -> Callable[[str], bool]:
        may_read = select(username, resource_type)
        return lambda key: may_read(key) or added.permission(username, resource_type, key) is not None

    auth.store.get_role_permission_for_resource = get_role_permission_for_resource
    auth._role_based_read_predicate = predicate


def load_names(auth: Any, added: Added) -> None:
    """Reads the names of many experiments by few statements."""
    select = auth.filter_experiment_ids

    def filter_experiment_ids(identifiers: list[str]) -> Any:
        added.names.experiments.load(identifiers)
        return select(identifiers)

    auth.filter_experiment_ids = filter_experiment_ids


def install(file: GrantsFile, groups_of: Groups, memory: Memory) -> None:
    """Called after the caches of users and grants."""
    auth: Any = import_module("mlflow.server.auth")
    added = Added(auth, file, groups_of, memory)
    if callable(getattr(auth, "fold_grants_for_key", None)) and callable(getattr(auth.store, "list_grants", None)):
        add_to_grants(auth, added)
    elif callable(getattr(auth.store, "get_role_permission_for_resource", None)):
        add_to_permissions(auth, added)
    else:
        raise RuntimeError("This MLflow reads grants in another way. spec.access would have no effect.")
    name_users(auth.store)
    load_names(auth, added)
    file.changed.append(memory.clear)

"""The grants of spec.access in the permissions of mlflow-oidc-auth.

The plugin resolves each permission with one function. An explicit NO_PERMISSIONS in its database stays a denial, and administrators are
decided before. Groups are those that the plugin has stored at the user's last login, or for the first token; of these, a request with a token has
those in the token. If a release of the plugin has no such function, the server does not start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import has_request_context
from mlflow_oidc_auth import bridge
from mlflow_oidc_auth import permissions as levels
from mlflow_oidc_auth.models import PermissionResult
from mlflow_oidc_auth.store import store
from mlflow_oidc_auth.utils import grant_context, permissions, prompt_kind

from . import grants_names
from .grants import EXPERIMENT, MODEL, PERMISSIONS
from .grants_file import GrantsFile
from .oidc_cache import member, replace_everywhere

KINDS = {"experiment": EXPERIMENT, "registered_model": MODEL, "prompt": MODEL}

#: The order of the plugin's permissions.
ORDER = ("NO_PERMISSIONS", "READ", "USE", "EDIT", "MANAGE")


def groups_of(username: str) -> frozenset[str]:
    stored = frozenset(store.get_groups_for_user(username))
    name, groups = member.get() or (None, None)
    return stored if groups is None or name != username else stored & groups


def assign_exactly(repository: Any) -> None:
    """Assigns a user only to groups with exactly the names in the claims: MySQL finds the group team-a by TEAM-A as well."""
    assign = repository.set_groups_for_user

    @wraps(assign)
    def assigned(username: str, group_names: list[str], **named: Any) -> Any:
        known = set(repository.list_groups())
        return assign(username, [each for each in group_names if each in known], **named)

    repository.set_groups_for_user = assigned


def may_rename(kind: str, identifier: str) -> bool:
    """Whether the sender of the request, which renames this resource, can manage it."""
    if not has_request_context():
        return False
    if bridge.get_fastapi_admin_status():
        return True
    username = bridge.get_fastapi_username()
    if kind == EXPERIMENT:
        found = permissions.effective_experiment_permission(identifier, username)
    else:
        found = prompt_kind.effective_registry_permission(identifier, username)
    return bool(found.permission.can_manage)


class Added:
    """The plugin's permissions with those of the grants."""

    def __init__(self, file: GrantsFile) -> None:
        self._file = file
        self._names = grants_names.install(file, may_rename, permissions.flush_permission_cache)

    def combined(self, found: Any, username: str, kind: str, name: Callable[[], str | None]) -> Any:
        """Returns the higher one of the plugin's permission and that of the grants."""
        current = found.permission.name
        is_denied = current == "NO_PERMISSIONS" and found.kind not in grant_context.NON_EXPLICIT_PERMISSION_KINDS
        if is_denied or current == PERMISSIONS[-1]:
            return found
        added = self._file.grants().permission(username, lambda: groups_of(username), kind, name)
        if added is None or ORDER.index(added) <= ORDER.index(current):
            return found
        return PermissionResult(levels.get_permission(added), "regex")

    def resolved(self, resolve: Any) -> Any:
        @wraps(resolve)
        def run(ctx: Any, resource_type: str, resource_id: str, **named: Any) -> Any:
            found = resolve(ctx, resource_type, resource_id, **named)
            kind = KINDS.get(resource_type)
            if kind is None:
                return found

            def name() -> str | None:
                if kind == MODEL:
                    return self._names.model(resource_id)
                known: str | None = named.get("name") or ctx.experiment_hint(resource_id)[0]
                return known or self._names.experiments.get(str(resource_id))

            return self.combined(found, ctx.username, kind, name)

        return run


def install(file: GrantsFile) -> None:
    """Called after the plugin has made its application."""
    for owner, names in {
        grant_context: "resolve NON_EXPLICIT_PERMISSION_KINDS",
        permissions: "effective_experiment_permission flush_permission_cache",
        prompt_kind: "effective_registry_permission",
        bridge: "get_fastapi_admin_status get_fastapi_username",
        store.group_repo: "set_groups_for_user list_groups",
    }.items():
        for name in names.split():
            if not hasattr(owner, name):
                raise RuntimeError(f"This mlflow-oidc-auth has no {name}. spec.access would have no effect.")
    if store.engine.dialect.name not in grants_names.EXACT:
        assign_exactly(store.group_repo)
    added = Added(file)
    replace_everywhere("resolve", grant_context.resolve, added.resolved(grant_context.resolve))
    file.changed.append(permissions.flush_permission_cache)

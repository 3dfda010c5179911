"""The application of mlflow-oidc-auth with one more rule: a token counts only as long as it says that its bearer is in a group.

The plugin (11.0.2) looks at the groups in a token only when it meets a user for the first time: whoever loses the group stays
in with the next token, and whoever loses the administrators' group stays one until the next login by the browser. If a release of
the plugin no longer has the function that is extended here, the server does not start.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlflow_oidc_auth.app import app
from mlflow_oidc_auth.config import config
from mlflow_oidc_auth.group_patterns import normalize_group_values
from mlflow_oidc_auth.middleware.auth_middleware import AuthMiddleware
from mlflow_oidc_auth.store import store

__all__ = ["app"]

admit_as_before = AuthMiddleware._maybe_provision_bearer_user


def admit_members(self: AuthMiddleware, username: str, token: str, payload: Mapping[str, object]) -> None:
    """Raises for a token of somebody in no group: the plugin answers that with 401, and logs why."""
    groups = set(normalize_group_values(payload.get(config.OIDC_GROUPS_ATTRIBUTE, [])))
    if groups.isdisjoint(config.OIDC_ADMIN_GROUP_NAME):
        if groups.isdisjoint(config.OIDC_GROUP_NAME):
            raise PermissionError(f"{username!r} is in neither group by this token")
        if store.has_user(username) and store.get_user_profile(username).is_admin:
            raise PermissionError(f"{username!r} is an administrator, but not by this token: log in by the browser once")
    admit_as_before(self, username, token, payload)


AuthMiddleware._maybe_provision_bearer_user = admit_members

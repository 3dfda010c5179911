"""Prints as JSON what mlflow-kubernetes-plugins asks the API server for, operation by operation, from its own tables."""

import asyncio
import json
import sys

from mlflow_kubernetes_plugins.auth import rules_skill_registry as skills
from mlflow_kubernetes_plugins.auth.constants import WORKSPACE_PERMISSION_RESOURCE_PRIORITY
from mlflow_kubernetes_plugins.auth.core import _enforce_gateway_dependency_permissions
from mlflow_kubernetes_plugins.auth.request_context import AuthorizationRequest
from mlflow_kubernetes_plugins.auth.rules import (
    GRAPHQL_OPERATION_RULES,
    PATH_AUTHORIZATION_RULES,
    REQUEST_AUTHORIZATION_RULES,
    _normalize_rules,
)


def check(rule):
    resource = rule.resource if rule.subresource is None else f"{rule.resource}/{rule.subresource}"
    return {
        "resource": resource,
        "verb": rule.verb,
        **({"optional": True} if rule.allow_if_resource_reference_missing else {}),
    }


class Recording:
    """An authorizer that allows all and notes what it was asked."""

    def __init__(self):
        self.asked = []

    def is_allowed(self, identity, resource, verb, namespace, subresource=None, resource_name=None):
        self.asked.append({"resource": f"{resource}/{subresource}", "verb": verb})
        return True


def dependencies(rule):
    """What else is asked for on the way, by the code and by no table."""
    authorizer = Recording()
    request = AuthorizationRequest(
        authorization_header=None,
        forwarded_access_token=None,
        remote_user_header_value=None,
        remote_groups_header_value=None,
        path="/",
        method="POST",
        workspace="team-a",
        json_body={"unknown": "field"},
    )
    asyncio.run(_enforce_gateway_dependency_permissions(authorizer, None, request, "team-a", rule))
    return authorizer.asked


def main():
    # Of a newer MLflow, but of this plugin.
    paths = {**skills.SKILL_REGISTRY_PATH_AUTHORIZATION_RULES, **PATH_AUTHORIZATION_RULES}
    named = (
        [(message.DESCRIPTOR.name, rules) for message, rules in REQUEST_AUTHORIZATION_RULES.items()]
        + [(f"{method} {path}", rules) for (path, method), rules in paths.items()]
        + [(f"graphql {name}", rules) for name, rules in GRAPHQL_OPERATION_RULES.items()]
    )
    operations = {}
    for name, rules in named:
        asked = [rule for rule in _normalize_rules(rules) if rule.resource is not None and not rule.deny]
        if asked:
            operations[name] = [check(rule) for rule in asked] + [d for rule in asked for d in dependencies(rule)]
    listed = [{"resource": resource, "verb": "list"} for resource in WORKSPACE_PERMISSION_RESOURCE_PRIORITY]
    lines = [f"    {json.dumps(name)}: {json.dumps(operations[name])}" for name in sorted(operations)]
    print('{\n  "operations": {\n' + ",\n".join(lines) + '\n  },\n  "oneOfToSeeAWorkspace": ' + json.dumps(listed) + "\n}")


main()
sys.exit(0)

"""
Prints as JSON the access reviews of mlflow-kubernetes-plugins for each operation, from its own tables. With the
argument `verdicts`: its access reviews for the routes in the standard input, each as [method, path].
"""

import asyncio
import json
import sys

from mlflow_kubernetes_plugins.auth import compiler, graphql
from mlflow_kubernetes_plugins.auth import rules_skill_registry as skills
from mlflow_kubernetes_plugins.auth.collection_filters import is_response_filter_policy
from mlflow_kubernetes_plugins.auth.constants import WORKSPACE_PERMISSION_RESOURCE_PRIORITY
from mlflow_kubernetes_plugins.auth.core import _enforce_gateway_dependency_permissions, _is_unprotected_path
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
    """An authorizer that allows everything and records the reviews."""

    def __init__(self):
        self.asked = []

    def is_allowed(self, identity, resource, verb, namespace, subresource=None, resource_name=None):
        self.asked.append({"resource": f"{resource}/{subresource}", "verb": verb})
        return True


def dependencies(rule):
    """Further reviews in the code that are not in a table."""
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


def checks(rules):
    asked = [rule for rule in rules if rule.resource is not None and not rule.deny]
    return [check(rule) for rule in asked] + [d for rule in asked for d in dependencies(rule)]


def verdict(method, path):
    if _is_unprotected_path(path):
        return {"kind": "open"}
    rules = compiler._find_authorization_rules(path, method)
    if not rules:
        return {"kind": "unknown"}
    if any(rule.deny for rule in rules):
        return {"kind": "denied"}
    if any(rule.apply_workspace_filter for rule in rules):
        return {"kind": "workspaces"}
    if any(rule.workspace_access_check for rule in rules):
        return {"kind": "workspace"}
    is_filtered = any(is_response_filter_policy(rule.collection_policy) for rule in rules)
    return {"kind": "filtered" if is_filtered else "checked", "checks": checks(rules)}


def verdicts():
    compiler._compile_authorization_rules()
    routes = [{"method": method, "path": path, **verdict(method, path)} for method, path in json.load(sys.stdin)]
    fields = [
        {
            "field": field,
            "kind": "filtered" if graphql.GRAPHQL_FIELD_AUTH_POLICY_MAP[field] == "response_filter" else "checked",
            "checks": [{"resource": resource, "verb": graphql.GRAPHQL_FIELD_VERB_MAP[field]}],
        }
        for field, resource in graphql.GRAPHQL_FIELD_RESOURCE_MAP.items()
    ]
    print(json.dumps({"routes": routes, "fields": fields}))


def tables():
    # Rules of the plugin for routes of a newer MLflow.
    paths = {**skills.SKILL_REGISTRY_PATH_AUTHORIZATION_RULES, **PATH_AUTHORIZATION_RULES}
    named = (
        [(message.DESCRIPTOR.name, rules) for message, rules in REQUEST_AUTHORIZATION_RULES.items()]
        + [(f"{method} {path}", rules) for (path, method), rules in paths.items()]
        + [(f"graphql {name}", rules) for name, rules in GRAPHQL_OPERATION_RULES.items()]
    )
    operations = {}
    for name, rules in named:
        if asked := checks(_normalize_rules(rules)):
            operations[name] = asked
    listed = [{"resource": resource, "verb": "list"} for resource in WORKSPACE_PERMISSION_RESOURCE_PRIORITY]
    lines = [f"    {json.dumps(name)}: {json.dumps(operations[name])}" for name in sorted(operations)]
    print(
        '{\n  "operations": {\n' + ",\n".join(lines) + '\n  },\n  "oneOfToSeeAWorkspace": ' + json.dumps(listed) + "\n}"
    )


if sys.argv[1:] == ["verdicts"]:
    verdicts()
else:
    tables()
sys.exit(0)

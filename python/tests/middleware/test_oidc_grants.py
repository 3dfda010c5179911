"""The grants of spec.access in the real mlflow-oidc-auth."""

import json
import os
import unittest
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

# Read when the plugin is imported, which the other tests do after they have set all other variables.
os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = "mlflow-artifacts:/"

import test_oidc as plugin
from test_oidc import Answer, bearer, folder

# isort: split
# Imported after the variables are set.
from mlflow_oidc_auth.store import store
from mlflow_oidc_auth.utils.permissions import flush_permission_cache

from mlflow_operator import grants_oidc
from mlflow_operator.grants_file import GrantsFile

written = 0
now = 0.0
API = "/api/2.0/mlflow"


def call(path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    if body is not None:
        headers["content_length"] = str(len(json.dumps(body).encode()))
    return plugin.call(path, method, body, "localhost", **headers)


def set_grants(*grants: dict[str, Any]) -> None:
    global now, written
    now, written = now + 10, written + 1
    usual: dict[str, Any] = {"users": [], "groups": [], "experiments": [], "registeredModels": []}
    new = Path(folder, f"access-{written}")
    new.write_text(json.dumps({"grants": [{**usual, **each} for each in grants]}), encoding="utf-8")
    os.replace(new, Path(folder, "access.json"))


set_grants()
grants_oidc.install(GrantsFile(Path(folder, "access.json"), clock=lambda: now))


def user(name: str, *groups: str) -> dict[str, str]:
    """A user whose account exists with these groups."""
    credential = bearer(name, groups=["mlflow", *groups])
    assert call(f"{plugin.ME}", **credential).status == 200
    return credential


def administrator() -> dict[str, str]:
    name = "root"
    credential = bearer(name)
    call(plugin.ME, **credential)
    store.update_user(name, is_admin=True)
    return bearer(name, groups=["mlflow-admin"])


def done(path: str, body: Any, who: dict[str, str], method: str = "POST") -> Any:
    answer = call(path, method, body, **who)
    assert answer.status == 200, answer.text
    return answer.json


def operations(experiment: str, who: dict[str, str]) -> list[str]:
    run = {"experiment_id": experiment, "start_time": 1}
    listed = done(f"{API}/experiments/search", {"max_results": 1000}, who).get("experiments", [])
    answers = {
        "get": call(f"{API}/experiments/get?experiment_id={experiment}", **who).status == 200,
        "list": experiment in [each["experiment_id"] for each in listed],
        "write": call(f"{API}/runs/create", "POST", run, **who).status == 200,
        "runs": "run_id" in call(f"{API}/runs/search", "POST", {"experiment_ids": [experiment]}, **who).text,
        "delete": call(f"{API}/experiments/delete", "POST", {"experiment_id": experiment}, **who).status == 200,
    }
    return [operation for operation, is_allowed in answers.items() if is_allowed]


def model_operations(model: str, who: dict[str, str]) -> list[str]:
    listed = done(f"{API}/registered-models/search?max_results=1000", None, who, "GET").get("registered_models", [])
    tag = {"name": model, "key": "a", "value": "b"}
    answers = {
        "get": call(f"{API}/registered-models/get?name={model}", **who).status == 200,
        "list": model in [each["name"] for each in listed],
        "write": call(f"{API}/registered-models/set-tag", "POST", tag, **who).status == 200,
        "delete": call(f"{API}/registered-models/delete", "DELETE", {"name": model}, **who).status == 200,
    }
    return [operation for operation, is_allowed in answers.items() if is_allowed]


class OidcGrants(unittest.TestCase):
    admin: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.admin = administrator()

    def experiment(self, name: str) -> str:
        made = done(f"{API}/experiments/create", {"name": name}, self.admin)["experiment_id"]
        done(f"{API}/runs/create", {"experiment_id": made, "start_time": 1}, self.admin)
        return str(made)

    def model(self, name: str) -> str:
        done(f"{API}/registered-models/create", {"name": name}, self.admin)
        return name

    def test_each_permission(self) -> None:
        for permission, expected, of_models in [
            ("READ", ["get", "list", "runs"], ["get", "list"]),
            ("EDIT", ["get", "list", "write", "runs"], ["get", "list", "write"]),
            ("MANAGE", ["get", "list", "write", "runs", "delete"], ["get", "list", "write", "delete"]),
        ]:
            with self.subTest(permission):
                name = permission.lower()
                who = user(name)
                patterns = {"experiments": [f"{name}/*"], "registeredModels": [f"{name}-*"]}
                set_grants({"permission": permission, "users": [name], **patterns})
                self.assertEqual(operations(self.experiment(f"{name}/a"), who), expected)
                self.assertEqual(operations(self.experiment(f"not-{name}/a"), who), [])
                self.assertEqual(model_operations(self.model(f"{name}-a"), who), of_models)
                self.assertEqual(model_operations(self.model(f"not-{name}"), who), [])

    def test_groups_of_the_last_login_and_a_change_of_the_file(self) -> None:
        member, stranger = user("member", "team"), user("stranger")
        experiment = self.experiment("of-the-team")
        self.assertEqual(operations(experiment, member), [])
        set_grants({"permission": "READ", "groups": ["team"], "experiments": ["of-*"]})
        self.assertEqual(operations(experiment, member), ["get", "list", "runs"])
        self.assertEqual(operations(experiment, stranger), [])
        set_grants()
        self.assertEqual(operations(experiment, member), [])

    def test_a_token_without_the_group_has_no_grant_of_it(self) -> None:
        user("leaver", "team")
        experiment = self.experiment("of-the-group")
        set_grants({"permission": "READ", "groups": ["team", "later"], "experiments": ["of-the-group"]})
        self.assertEqual(operations(experiment, bearer("leaver", groups=["mlflow", "team"])), ["get", "list", "runs"])
        flush_permission_cache()
        self.assertEqual(operations(experiment, bearer("leaver", groups=["mlflow"])), [])
        flush_permission_cache()
        self.assertEqual(operations(experiment, bearer("leaver", groups=["mlflow", "later"])), [])

    def test_a_user_is_only_in_groups_of_exactly_these_names_where_the_database_ignores_case(self) -> None:
        user("exact")
        user("of-the-other-spelling", "exactly")
        grants_oidc.assign_exactly(store.group_repo)
        try:
            store.set_user_groups("exact", ["mlflow", "EXACTLY"])
        finally:
            del store.group_repo.set_groups_for_user
        self.assertEqual(store.get_groups_for_user("exact"), ["mlflow"])

    def test_pages_of_lists(self) -> None:
        who = user("pages")
        patterns = {"experiments": ["pages/mine-*"], "registeredModels": ["pages-mine-*"]}
        set_grants({"permission": "READ", "users": ["pages"], **patterns})
        made = [self.experiment(f"pages/{'mine' if number % 4 == 1 else 'other'}-{number}") for number in range(9)]
        models = [self.model(f"pages-{'mine' if number % 4 == 1 else 'other'}-{number}") for number in range(9)]
        # The plugin rejects a search of runs in an experiment that is not readable.
        searches: list[tuple[str, str, dict[str, Any] | None]] = [
            ("experiments/search", "experiments", {}),
            ("runs/search", "runs", {"experiment_ids": [made[1], made[5]]}),
            ("registered-models/search", "registered_models", None),
        ]
        denied = {"experiment_ids": made}
        self.assertEqual(call(f"{API}/runs/search", "POST", denied, **who).status, 403)
        for size in (1, 2, 1000):
            found = [self.pages(path, key, size, body, who) for path, key, body in searches]
            self.assertEqual(sorted(each["experiment_id"] for each in found[0]), sorted([made[1], made[5]]))
            self.assertEqual(sorted(each["info"]["experiment_id"] for each in found[1]), sorted([made[1], made[5]]))
            self.assertEqual(sorted(each["name"] for each in found[2]), sorted([models[1], models[5]]))

    def pages(self, path: str, key: str, size: int, body: dict[str, Any] | None, who: dict[str, str]) -> list[Any]:
        rows: list[Any] = []
        sent: dict[str, Any] = {"max_results": size}
        while True:
            given = (f"{API}/{path}?{urlencode(sent)}", None, who, "GET")
            page = done(*given) if body is None else done(f"{API}/{path}", {**body, **sent}, who)
            rows += page.get(key, [])
            if not page.get("next_page_token"):
                return rows
            sent["page_token"] = page["next_page_token"]

    def test_a_scorer_and_a_prompt(self) -> None:
        who = user("scores")
        patterns = {"experiments": ["scores/*"], "registeredModels": ["scores-*"]}
        set_grants({"permission": "READ", "users": ["scores"], **patterns})
        tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
        for name, status in [("scores-prompt", 200), ("other-prompt", 403)]:
            done(f"{API}/registered-models/create", {"name": name, "tags": tags}, self.admin)
            self.assertEqual(call(f"{API}/registered-models/get?name={name}", **who).status, status)
        for name, status in [("scores/x", 200), ("not-scores/x", 403)]:
            experiment = self.experiment(name)
            self.assertEqual(call(f"/api/3.0/mlflow/scorers/list?experiment_id={experiment}", **who).status, status)

    def test_the_higher_permission_counts_and_a_denial_stays(self) -> None:
        who = user("both")
        set_grants({"permission": "READ", "users": ["both"], "experiments": ["both-*"]})
        for level, expected in [("EDIT", ["get", "list", "write", "runs"]), ("NO_PERMISSIONS", [])]:
            experiment = self.experiment(f"both-{level}")
            store.create_experiment_permission(experiment, "both", level)
            self.assertEqual(operations(experiment, who), expected)

    def test_renaming_into_a_pattern_requires_manage(self) -> None:
        who = user("editor")
        own = {"experiments": ["own/*"], "registeredModels": ["own-*"]}
        shared = {"experiments": ["shared/*"], "registeredModels": ["shared-*"]}
        set_grants(
            {"permission": "MANAGE", "users": ["editor"], **own}, {"permission": "EDIT", "users": ["editor"], **shared}
        )
        experiment, model = self.experiment("shared/x"), self.model("shared-x")

        def rename(name: str, by: dict[str, str]) -> int:
            return call(
                f"{API}/experiments/update", "POST", {"experiment_id": experiment, "new_name": name}, **by
            ).status

        def rename_model(name: str, by: dict[str, str]) -> int:
            return call(f"{API}/registered-models/rename", "POST", {"name": model, "new_name": name}, **by).status

        self.assertEqual([rename(name, who) for name in ("own/x", "x", "shared/y")], [403, 403, 200])
        self.assertEqual(rename_model("own-x", who), 403)
        self.assertNotIn("delete", operations(experiment, who))
        self.assertEqual([rename("own/x", self.admin), rename_model("own-x", self.admin)], [200, 200])
        self.assertIn("delete", operations(experiment, who))
        self.assertIn("delete", model_operations("own-x", who))


if __name__ == "__main__":
    unittest.main()

"""The grants of spec.access in the real MLflow: pages of lists, unusual names, deleted experiments, and what must not change."""

import unittest
from typing import Any
from urllib.parse import urlencode

from basic_auth import ADMIN
from granting_server import (
    Experiment,
    call,
    done,
    file,
    groups_of,
    memory,
    model_named,
    model_operations,
    set_grants,
    user_named,
)

# isort: split
# Imported after the variables are set.
from mlflow.exceptions import MlflowException
from mlflow.server import auth
from mlflow.server.handlers import _get_model_registry_store, _get_tracking_store

from mlflow_operator import grants_basic, grants_names

User = tuple[str, str]


def pages(path: str, key: str, size: int, user: User, body: dict[str, Any] | None = None) -> list[list[Any]]:
    """All pages of a list, as a client reads them."""
    found: list[list[Any]] = []
    token = ""
    while token or not found:
        sent = {**(body or {}), "max_results": size, **({"page_token": token} if token else {})}
        given = (f"{path}?{urlencode(sent)}", {}, user, "GET") if body is None else (path, sent, user)
        page = done(*given)
        found.append(page.get(key, []))
        token = page.get("next_page_token", "")
    return found


def flat(found: list[list[Any]]) -> list[Any]:
    return [each for page in found for each in page]


class Lists(unittest.TestCase):
    def test_pages_of_each_list_have_what_is_granted_and_nothing_else(self) -> None:
        reader, stranger = user_named("page-reader"), user_named("page-stranger")
        set_grants(
            {
                "permission": "READ",
                "users": ["page-reader"],
                "experiments": ["page/mine-*"],
                "registeredModels": ["page-mine-*"],
            }
        )
        granted: list[Experiment] = []
        others: list[Experiment] = []
        models: list[str] = []
        # Most rows are hidden: MLflow reads further pages until one is full.
        for number in range(12):
            is_mine = number % 4 == 1
            experiment = Experiment(f"page/{'mine' if is_mine else 'other'}-{number}")
            (granted if is_mine else others).append(experiment)
            models.append(model_named(f"page-{'mine' if is_mine else 'other'}-{number}"))
            done("logged-models", {"experiment_id": experiment.id, "name": f"m{number}"}, ADMIN)
        mine = sorted(each.id for each in granted)
        everything = [each.id for each in [*granted, *others]]
        for size in (1, 2, 5, 1000):
            with self.subTest(size):
                listed = pages("experiments/search", "experiments", size, reader, {"filter": "name LIKE 'page/%'"})
                self.assertEqual(sorted(each["experiment_id"] for each in flat(listed)), mine)
                self.assertTrue(all(len(page) <= size for page in listed))
                named = pages("registered-models/search", "registered_models", size, reader)
                self.assertEqual(
                    sorted(each["name"] for each in flat(named)), sorted(each for each in models if "mine" in each)
                )
                versions = pages("model-versions/search", "model_versions", size, reader)
                self.assertEqual(
                    sorted(each["name"] for each in flat(versions)), sorted(each for each in models if "mine" in each)
                )
                runs = pages("runs/search", "runs", size, reader, {"experiment_ids": everything})
                self.assertEqual(sorted(each["info"]["experiment_id"] for each in flat(runs)), mine)
                logged = pages("logged-models/search", "models", size, reader, {"experiment_ids": everything})
                # MLflow 3.16 repeats rows of this list.
                self.assertEqual(sorted({each["info"]["experiment_id"] for each in flat(logged)}), mine)
                for path, key in [("experiments/search", "experiments"), ("runs/search", "runs")]:
                    found = pages(path, key, size, stranger, {"experiment_ids": everything} if key == "runs" else {})
                    self.assertEqual(flat(found), [])

    def test_a_search_of_traces_must_name_only_readable_experiments(self) -> None:
        reader = user_named("trace-reader")
        set_grants({"permission": "READ", "users": ["trace-reader"], "experiments": ["traces/mine"]})
        mine, other = Experiment("traces/mine"), Experiment("traces/other")
        for experiments, status in [([mine], 200), ([other], 403), ([mine, other], 403)]:
            locations = [
                {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": each.id}} for each in experiments
            ]
            answer = call("traces/search", {"locations": locations}, reader, "POST", "/api/3.0/mlflow/")
            self.assertEqual(answer.status, status)

    def test_an_error_does_not_show_the_runs_of_all_experiments(self) -> None:
        reader = user_named("after-an-error")
        set_grants({"permission": "READ", "users": ["after-an-error"], "experiments": ["no-error"]})
        experiment = Experiment("of-an-error")
        read = grants_names.Cached.get

        def fail(*_: Any) -> Any:
            raise RuntimeError

        grants_names.Cached.get = fail  # type: ignore[method-assign, assignment]
        try:
            answer = call("runs/search", {"experiment_ids": [experiment.id]}, reader)
        finally:
            grants_names.Cached.get = read  # type: ignore[method-assign]
        self.assertGreaterEqual(answer.status, 400)
        self.assertNotIn(experiment.run, answer.body.decode())


class Names(unittest.TestCase):
    def test_names_with_unusual_characters(self) -> None:
        reader = user_named("unusual")
        set_grants(
            {
                "permission": "READ",
                "users": ["unusual"],
                "experiments": ["unusual/*", "100%_a", "模型-*", "*-suffix"],
            }
        )
        for name, expected in [
            ("unusual/*", True),
            ("unusual/a/b", True),
            ("unusual/ with spaces ", True),
            ("unusual/line\nbreak", True),
            ("unusual/🚀", True),
            ("模型-Ü", True),
            ("100%_a", True),
            ("100xxa", False),
            ("100%_A", False),
            ("Unusual/a", False),
            (" unusual/a", False),
            ("unusual", False),
            ("unusual\u2215a", False),
            ("\u200bunusual/a", False),
            ("x-suffix", True),
            ("x-suffix ", False),
            ("x-suffix\n", False),
        ]:
            with self.subTest(name):
                made = done("experiments/create", {"name": name}, ADMIN)["experiment_id"]
                read = call(f"experiments/get?experiment_id={made}", {}, reader, "GET").status
                by_name = call(f"experiments/get-by-name?{urlencode({'experiment_name': name})}", {}, reader, "GET")
                self.assertEqual([read, by_name.status], [200, 200] if expected else [403, 403])

    def test_other_forms_of_an_id_are_not_granted(self) -> None:
        reader = user_named("forms")
        set_grants({"permission": "READ", "users": ["forms"], "experiments": ["*"]})
        experiment = Experiment("forms")
        self.assertEqual(call(f"experiments/get?experiment_id={experiment.id}", {}, reader, "GET").status, 200)
        wide = "".join(chr(ord(each) - ord("0") + ord("０")) for each in experiment.id)
        for form in (f"0{experiment.id}", wide, f" {experiment.id}", f"{experiment.id}.0", "9" * 30, "9" * 5000, "-1"):
            with self.subTest(form[:40]):
                answer = call(f"experiments/get?{urlencode({'experiment_id': form})}", {}, reader, "GET")
                self.assertIn(answer.status, (400, 403, 404))

    def test_a_star_in_a_request_is_no_pattern(self) -> None:
        reader = user_named("star")
        set_grants({"permission": "MANAGE", "users": ["star"], "experiments": ["*"], "registeredModels": ["*"]})
        for resource_type in ("experiment", "registered_model", "prompt", "run", "trace", "scorer"):
            body = {"username": "star", "resource_type": resource_type, "resource_id": "*", "permission": "MANAGE"}
            answer = call("users/permissions/grant", body, reader, "POST", "/api/3.0/mlflow/")
            self.assertGreaterEqual(answer.status, 400, resource_type)

    def test_a_user_and_a_group_with_one_name_are_different(self) -> None:
        as_user, member = user_named("team"), user_named("member-of-names")
        experiment = Experiment("of-names")
        for grant, expected in [({"groups": ["team"]}, [403, 200]), ({"users": ["team"]}, [200, 403])]:
            set_grants({"permission": "READ", "experiments": ["of-names"], **grant})
            path = f"experiments/get?experiment_id={experiment.id}"
            self.assertEqual([call(path, {}, user, "GET").status for user in (as_user, member)], expected)


class Limits(unittest.TestCase):
    def test_a_lower_grant_does_not_reduce_the_default_permission(self) -> None:
        user = user_named("of-default")
        configured = auth.auth_config
        set_grants(
            {"permission": "READ", "users": ["of-default"], "experiments": ["*"], "registeredModels": ["*"]},
            {"permission": "MANAGE", "users": ["of-default"], "experiments": ["more/*"]},
        )
        auth.auth_config = configured._replace(default_permission="EDIT")
        try:
            experiment, more = Experiment("of-default"), Experiment("more/of-default")
            self.assertTrue(all(experiment.writes(user).values()))
            self.assertFalse(experiment.deletes(user))
            self.assertTrue(more.deletes(user))
            self.assertNotIn("delete", model_operations(model_named("of-default"), user))
        finally:
            auth.auth_config = configured

    def test_a_deleted_experiment_is_restored_only_with_manage(self) -> None:
        editor, manager = user_named("edits-deleted"), user_named("manages-deleted")
        set_grants(
            {"permission": "EDIT", "users": ["edits-deleted"], "experiments": ["deleted/*"]},
            {"permission": "MANAGE", "users": ["manages-deleted"], "experiments": ["deleted/*"]},
        )
        experiment, other = Experiment("deleted/x"), Experiment("not-deleted/x")
        for each in (experiment, other):
            done("experiments/delete", {"experiment_id": each.id}, ADMIN)
        deleted = {"view_type": "DELETED_ONLY"}
        listed = flat(pages("experiments/search", "experiments", 10, editor, deleted))
        self.assertEqual([each["experiment_id"] for each in listed], [experiment.id])

        def restore(which: Experiment, user: User) -> int:
            return call("experiments/restore", {"experiment_id": which.id}, user).status

        self.assertEqual([restore(experiment, editor), restore(other, manager)], [403, 403])
        self.assertEqual(restore(experiment, manager), 200)
        self.assertTrue(experiment.reads(editor)["experiment"])

    def test_grants_on_everything_allow_nothing_else(self) -> None:
        user = user_named("everything")
        set_grants({"permission": "MANAGE", "users": ["everything"], "experiments": ["*"], "registeredModels": ["*"]})
        secret = {"secret_name": "of-the-admin", "secret_value": {"api_key": "x"}, "provider": "openai"}
        made = done("gateway/secrets/create", secret, ADMIN, "POST", "/api/3.0/mlflow/")["secret"]["secret_id"]
        read = call(f"gateway/secrets/get?secret_id={made}", {}, user, "GET", "/api/3.0/mlflow/")
        self.assertEqual(read.status, 403)
        listed = call("gateway/secrets/list", {}, user, "GET", "/api/3.0/mlflow/")
        self.assertNotIn("of-the-admin", listed.body.decode())
        for path, body, method in [
            ("users/create", {"username": "made-by-a-user", "password": "0123456789abcdef"}, "POST"),
            ("users/update-admin", {"username": "everything", "is_admin": True}, "PATCH"),
            ("users/delete", {"username": "admin"}, "DELETE"),
        ]:
            self.assertEqual(call(path, body, user, method).status, 403, path)

    def test_a_rename_outside_of_a_request_cannot_change_access(self) -> None:
        set_grants({"permission": "READ", "users": ["x"], "experiments": ["in/*"], "registeredModels": ["in-*"]})
        experiment = Experiment("outside")
        model_named("outside")
        with self.assertRaises(MlflowException):
            _get_tracking_store().rename_experiment(experiment.id, "in/outside")
        with self.assertRaises(MlflowException):
            _get_model_registry_store().rename_registered_model("outside", "in-outside")
        _get_tracking_store().rename_experiment(experiment.id, "still-outside")

    def test_a_model_has_grants_only_by_its_stored_name_where_the_database_ignores_case(self) -> None:
        user = user_named("of-case")
        set_grants({"permission": "READ", "users": ["of-case"], "registeredModels": ["case-*"]})
        model_named("case-a")
        store = _get_model_registry_store()
        kind = store.db_type
        store.db_type = "mysql"
        try:
            self.assertEqual(call("registered-models/get?name=case-a", {}, user, "GET").status, 200)
            self.assertIn("case-a", [each["name"] for each in flat(self.models_of(user))])
            added = grants_basic.Added(auth, file, groups_of, memory)
            self.assertEqual(added.permission("of-case", "registered_model", "case-a"), "READ")
            self.assertIsNone(added.permission("of-case", "registered_model", "case-A"))
        finally:
            store.db_type = kind

    def models_of(self, user: User) -> list[list[Any]]:
        return pages("registered-models/search", "registered_models", 100, user)


if __name__ == "__main__":
    unittest.main()

"""The grants of spec.access in the real MLflow: what users may do on experiments, runs, artifacts, traces and models, and what lists show."""

import unittest

from basic_auth import ADMIN
from granting_server import Experiment, call, done, folder, model_named, model_operations, set_grants, user_named

# isort: split
# Imported after the variables are set.
from mlflow.server import auth
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

other = user_named("other")


class BasicGrants(unittest.TestCase):
    def assert_all(self, found: dict[str, bool], expected: bool) -> None:
        self.assertEqual([route for route, is_allowed in found.items() if is_allowed is not expected], [])

    def test_each_permission_on_an_experiment(self) -> None:
        for permission, may_write, may_manage in [
            ("READ", False, False),
            ("EDIT", True, False),
            ("MANAGE", True, True),
        ]:
            with self.subTest(permission):
                user = user_named(f"experiments-{permission}")
                set_grants({"permission": permission, "users": [user[0]], "experiments": [f"{permission}/*"]})
                granted, not_granted = Experiment(f"{permission}/a"), Experiment(f"not-{permission}/a")
                self.assert_all(granted.reads(user), True)
                self.assert_all(granted.writes(user), may_write)
                self.assert_all(not_granted.reads(user), False)
                self.assert_all(not_granted.writes(user), False)
                self.assertEqual((granted.manages(user), not_granted.manages(user)), (may_manage, False))
                self.assertEqual((not_granted.deletes(user), granted.deletes(user)), (False, may_manage))

    def test_each_permission_on_a_model(self) -> None:
        read = ["get", "list", "versions", "GraphQL"]
        edit = [*read, "update", "tag"]
        for permission, expected in [("READ", read), ("EDIT", edit), ("MANAGE", [*edit, "manage", "delete"])]:
            with self.subTest(permission):
                user = user_named(f"models-{permission}")
                set_grants({"permission": permission, "users": [user[0]], "registeredModels": [f"{permission}-*"]})
                self.assertEqual(model_operations(model_named(f"{permission}-a"), user), expected)
                self.assertEqual(model_operations(model_named(f"not-{permission}"), user), [])

    def test_a_prompt_is_a_model(self) -> None:
        user = user_named("prompts")
        set_grants({"permission": "READ", "users": ["prompts"], "registeredModels": ["prompt-a"]})
        tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
        for name in ("prompt-a", "prompt-b"):
            done("registered-models/create", {"name": name, "tags": tags}, ADMIN)
            self.assertEqual(
                call(f"registered-models/get?name={name}", {}, user, "GET").status, 200 if name == "prompt-a" else 403
            )

    def test_a_group(self) -> None:
        member, stranger = user_named("member"), user_named("stranger")
        set_grants({"permission": "READ", "groups": ["team"], "experiments": ["of-the-team"]})
        experiment = Experiment("of-the-team")
        self.assert_all(experiment.reads(member), True)
        self.assert_all(experiment.reads(stranger), False)

    def test_a_change_counts_at_once_in_this_process_after_the_file_is_read(self) -> None:
        user = user_named("changed")
        set_grants()
        experiment = Experiment("changed")
        for _ in range(2):
            self.assert_all(experiment.reads(user), False)
            set_grants({"permission": "READ", "users": ["changed"], "experiments": ["*"]})
            self.assert_all(experiment.reads(user), True)
            set_grants()
        self.assert_all(experiment.reads(user), False)

    def test_nothing_is_written_to_the_database(self) -> None:
        user = user_named("unwritten")
        set_grants({"permission": "MANAGE", "users": ["unwritten"], "experiments": ["*"], "registeredModels": ["*"]})
        self.assertEqual(call("experiments/get?experiment_id=0", {}, user, "GET").status, 200)
        fresh = SqlAlchemyStore()
        fresh.init_db(f"sqlite:///{folder}/users.db")
        self.assertEqual(fresh.list_user_roles(fresh.get_user("unwritten").id), [])

    def test_the_higher_permission_counts_and_a_denial_stays(self) -> None:
        user = user_named("both")
        set_grants({"permission": "READ", "users": ["both"], "experiments": ["*"]})
        for permission, reads, writes in [("READ", True, False), ("EDIT", True, True), ("DENY", False, False)]:
            if permission == "DENY" and not hasattr(auth.permissions if hasattr(auth, "permissions") else auth, "DENY"):
                continue
            experiment = Experiment(f"both-{permission}")
            body = {
                "username": "both",
                "resource_type": "experiment",
                "resource_id": experiment.id,
                "permission": permission,
            }
            done("users/permissions/grant", body, ADMIN, "POST", "/api/3.0/mlflow/")
            self.assert_all(experiment.reads(user), reads)
            self.assert_all(experiment.writes(user), writes)

    def test_renaming_into_and_out_of_a_pattern_requires_manage(self) -> None:
        editor, manager = user_named("editor"), user_named("manager")
        own = {"permission": "MANAGE", "users": ["editor"], "experiments": ["own/*"], "registeredModels": ["own-*"]}
        shared = {
            "permission": "EDIT",
            "users": ["editor"],
            "experiments": ["shared/*", "other-*"],
            "registeredModels": ["shared-*"],
        }
        everything = {"permission": "MANAGE", "users": ["manager"], "experiments": ["*"], "registeredModels": ["*"]}
        set_grants(own, shared, everything)
        experiment = Experiment("shared/x")
        model_named("shared-x")

        def rename(name: str, user: tuple[str, str]) -> int:
            return call("experiments/update", {"experiment_id": experiment.id, "new_name": name}, user).status

        def rename_model(old: str, new: str, user: tuple[str, str]) -> int:
            return call("registered-models/rename", {"name": old, "new_name": new}, user).status

        self.assertEqual([rename(name, editor) for name in ("own/x", "x", "other-x", "shared/y")], [403, 403, 200, 200])
        self.assertFalse(experiment.deletes(editor))
        self.assertEqual([rename_model("shared-x", name, editor) for name in ("own-x", "x")], [403, 403])
        self.assertEqual([rename("own/x", manager), rename_model("shared-x", "own-x", manager)], [200, 200])
        self.assertEqual([rename("x", editor), rename_model("own-x", "x", editor)], [200, 200])
        self.assertEqual([rename("own/x", ADMIN), rename_model("x", "own-x", ADMIN)], [200, 200])
        self.assertTrue(experiment.deletes(editor))

    def test_a_rename_counts_at_once_in_this_process(self) -> None:
        user = user_named("renamed")
        set_grants({"permission": "READ", "users": ["renamed"], "experiments": ["after"]})
        experiment = Experiment("before")
        self.assert_all(experiment.reads(user), False)
        done("experiments/update", {"experiment_id": experiment.id, "new_name": "after"}, ADMIN)
        experiment.name = "after"
        self.assert_all(experiment.reads(user), True)
        done("experiments/update", {"experiment_id": experiment.id, "new_name": "elsewhere"}, ADMIN)
        experiment.name = "elsewhere"
        self.assert_all(experiment.reads(user), False)

    def test_a_user_who_is_created_later_has_the_grants(self) -> None:
        set_grants({"permission": "READ", "users": ["later"], "experiments": ["for-later"]})
        experiment = Experiment("for-later")
        self.assertEqual(
            call("experiments/get?experiment_id=0", {}, ("later", "of-later-0123456789"), "GET").status, 401
        )
        self.assert_all(experiment.reads(user_named("later")), True)

    def test_a_new_user_with_the_id_of_a_deleted_one_has_no_grant_of_it(self) -> None:
        first = user_named("first-with-id")
        set_grants({"permission": "READ", "users": ["first-with-id"], "experiments": ["of-an-id"]})
        experiment = Experiment("of-an-id")
        self.assert_all(experiment.reads(first), True)
        done("users/delete", {"username": "first-with-id"}, ADMIN, "DELETE")
        second = user_named("second-with-id")
        self.assert_all(experiment.reads(second), False)


if __name__ == "__main__":
    unittest.main()

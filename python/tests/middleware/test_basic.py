"""Basic authentication of the real MLflow with the caches of the middleware, and a second process at its databases."""

import tempfile
import unittest
from pathlib import Path
from typing import Any

from basic_auth import ADMIN, Client, configure

folder = Path(tempfile.mkdtemp())
configure(folder, _MLFLOW_SERVER_ARTIFACT_ROOT=f"{folder}/artifacts")

from mlflow.server import auth  # noqa: E402
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore  # noqa: E402
from mlflow.server.handlers import _get_tracking_store  # noqa: E402
from sqlalchemy.event import listen, remove  # noqa: E402

from mlflow_operator import users  # noqa: E402
from mlflow_operator.app import application_named  # noqa: E402

# Creates the tables, which takes long on a busy machine.
_get_tracking_store()
memory = users.install()
client = Client(application_named("basic-auth"))
call, done, user_named = client.call, client.done, client.user_named
other_process = SqlAlchemyStore()
other_process.init_db(f"sqlite:///{folder}/users.db")


def experiments(user: tuple[str, str]) -> set[str]:
    found = done("experiments/search", {"max_results": 100}, user)
    return {each["experiment_id"] for each in found.get("experiments", ())}


def statements_of(action: Any) -> list[str]:
    """The statements in the users' database."""
    found: list[str] = []

    def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("PRAGMA"):
            found.append(statement)

    listen(auth.store.engine, "before_cursor_execute", executed)
    try:
        action()
    finally:
        remove(auth.store.engine, "before_cursor_execute", executed)
    return found


class Basic(unittest.TestCase):
    def setUp(self) -> None:
        memory.clear()
        self.addCleanup(setattr, memory, "_clock", memory._clock)
        # The clock is stopped, so that a busy machine does not make an entry older than the test expects.
        self.later(0)

    def later(self, seconds: float) -> None:
        now = memory._clock()
        memory._clock = lambda: now + seconds

    def test_a_changed_password_and_a_deleted_user_end_access_at_once(self) -> None:
        user = user_named("ada")
        self.assertEqual([call("experiments/search", {"max_results": 1}, user).status for _ in range(2)], [200, 200])
        change = {"username": "ada", "password": "another-0123456789"}
        done("users/update-password", change, ADMIN, "PATCH")
        self.assertEqual(call("experiments/search", {"max_results": 1}, user).status, 401)
        user = ("ada", "another-0123456789")
        self.assertEqual([call("experiments/search", {"max_results": 1}, user).status for _ in range(2)], [200, 200])
        done("users/delete", {"username": "ada"}, ADMIN, "DELETE")
        self.assertEqual(call("experiments/search", {"max_results": 1}, user).status, 401)

    def test_a_second_search_reads_nothing_of_users_and_grants(self) -> None:
        user = user_named("bob")
        hidden = done("experiments/create", {"name": "of the administrator"}, ADMIN)["experiment_id"]
        own = done("experiments/create", {"name": "of bob"}, user)["experiment_id"]
        self.assertEqual(experiments(user), {own})
        self.assertEqual(statements_of(lambda: self.assertEqual(experiments(user), {own})), [])
        runs = {"experiment_ids": [own, hidden], "max_results": 1}
        call("runs/search", runs, user)
        self.assertEqual(statements_of(lambda: call("runs/search", {"experiment_ids": [own]}, user)), [])
        self.assertIn(hidden, experiments(ADMIN))

    def test_a_search_shows_what_is_created_at_once_and_nothing_revoked_after_five_seconds(self) -> None:
        user = user_named("eve")
        first = done("experiments/create", {"name": "first of eve"}, user)["experiment_id"]
        self.assertEqual(experiments(user), {first})
        # By another process.
        second = done("experiments/create", {"name": "second of eve"}, ADMIN)["experiment_id"]
        other_process.grant_user_resource_permission("eve", "experiment", second, "READ")
        self.assertEqual(experiments(user), {first, second})
        other_process.revoke_user_resource_permission("eve", "experiment", second)
        self.later(5)
        self.assertEqual(experiments(user), {first})
        self.assertEqual(call(f"experiments/get?experiment_id={second}", {}, user, "GET").status, 403)

    def test_a_former_administrator_sees_no_lists_of_others_after_five_seconds(self) -> None:
        user = user_named("zoe")
        done("users/update-admin", {"username": "zoe", "is_admin": True}, ADMIN, "PATCH")
        made = done("experiments/create", {"name": "not of zoe"}, ADMIN)["experiment_id"]
        self.assertIn(made, experiments(user))
        other_process.update_user("zoe", is_admin=False)
        self.later(5)
        self.assertNotIn(made, experiments(user))


if __name__ == "__main__":
    unittest.main()

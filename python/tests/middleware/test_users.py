import asyncio
import random
import threading
import time
import unittest
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from mlflow_operator.users import (
    Memory,
    Turns,
    Users,
    cache_lists,
    cached_role,
    cached_rows,
    cached_runs,
    decided,
    decided_later,
    deciding,
    filtered,
    once_at_a_time,
)


class Database:
    """Users and grants as all processes of a server see them."""

    def __init__(self) -> None:
        self.users: dict[str, int] = {}
        self.grants: dict[int | None, set[str]] = {}
        self.next_id = 1


class Store:
    """MLflow's store of users in one process, which counts what it reads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reads = 0

    def get_user(self, username: str) -> Any:
        self.reads += 1
        if username not in self.database.users:
            raise LookupError(username)
        return SimpleNamespace(id=self.database.users[username], username=username)

    def has_user(self, username: str, *, use_primary: bool = False) -> bool:
        self.reads += 1
        return username in self.database.users

    def list_grants(self, user_id: int, workspace: str, resource_types: set[str]) -> list[str]:
        self.reads += 1
        return [grant for grant in self.database.grants.get(user_id, ()) if grant in resource_types]

    def create_user(self, username: str, user_id: int | None = None) -> None:
        self.database.users[username] = user_id or self.database.next_id
        self.database.next_id += 1

    def delete_user(self, username: str) -> None:
        self.database.grants.pop(self.database.users.pop(username, None), None)

    def grant(self, username: str, resource: str) -> None:
        self.database.grants.setdefault(self.database.users[username], set()).add(resource)

    def revoke(self, username: str, resource: str) -> None:
        self.database.grants.get(self.database.users[username], set()).discard(resource)


class Process:
    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self.store = Store(database)
        self.original = Store(database)
        Users(self.store, Memory(5, 8, clock))
        self.may = decided(self._may, bool)

    def _may(self, username: str, resource: str) -> bool:
        try:
            user = self.store.get_user(username)
        except LookupError:
            return False
        return resource in self.store.list_grants(user.id, "default", {resource})


class UsersTest(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.database = Database()
        self.processes = [Process(self.database, lambda: self.now) for _ in range(2)]
        self.one, self.other = self.processes
        self.one.store.create_user("alice")
        self.one.store.grant("alice", "a")

    def test_a_second_decision_reads_nothing(self) -> None:
        self.assertTrue(self.one.may("alice", "a"))
        before = self.one.store.reads
        self.assertTrue(self.one.may("alice", "a"))
        self.assertEqual(self.one.store.reads, before)

    def test_a_write_of_this_process_counts_at_once(self) -> None:
        self.assertTrue(self.one.may("alice", "a"))
        self.one.store.revoke("alice", "a")
        self.assertFalse(self.one.may("alice", "a"))

    def test_a_removal_by_another_process_counts_after_five_seconds(self) -> None:
        self.assertTrue(self.one.may("alice", "a"))
        self.other.store.revoke("alice", "a")
        self.assertTrue(self.one.may("alice", "a"))
        self.now = 5.0
        self.assertFalse(self.one.may("alice", "a"))

    def test_a_grant_by_another_process_counts_at_once(self) -> None:
        self.assertFalse(self.one.may("alice", "b"))
        self.other.store.grant("alice", "b")
        self.assertTrue(self.one.may("alice", "b"))

    def test_outside_of_a_decision_everything_is_read(self) -> None:
        self.assertTrue(self.one.may("alice", "a"))
        before = self.one.store.reads
        self.one.store.get_user("alice")
        self.assertEqual(self.one.store.reads, before + 1)

    def test_the_id_of_a_deleted_user_gives_nobody_the_grants_of_a_new_one(self) -> None:
        self.assertTrue(self.one.may("alice", "a"))
        user_id = self.database.users["alice"]
        self.other.store.delete_user("alice")
        self.other.store.create_user("mallory", user_id)
        self.other.store.grant("mallory", "secret")
        self.assertFalse(self.one.may("alice", "secret"))

    def test_a_value_read_before_a_write_is_not_kept(self) -> None:
        memory = Memory(5, 8, lambda: self.now)

        def read() -> str:
            memory.clear()
            return "previous"

        with deciding():
            memory.read("key", read)
        self.assertIsNone(memory.get("key"))

    def test_the_memory_is_bounded(self) -> None:
        memory = Memory(5, 8, lambda: self.now)
        with deciding():
            for number in range(100):
                memory.read(number, lambda: True)
        self.assertEqual(sum(memory.get(number) is not None for number in range(100)), 8)

    def test_a_decision_that_waits_is_made_again_where_it_denies(self) -> None:
        async def may(username: str, resource: str) -> bool:
            return await asyncio.to_thread(self.one._may, username, resource)

        async def run() -> None:
            decide = decided_later(may)
            self.assertTrue(await decide("alice", "a"))
            self.assertFalse(await decide("alice", "b"))
            self.other.store.grant("alice", "b")
            self.assertTrue(await decide("alice", "b"))

        asyncio.run(run())

    def test_random_histories(self) -> None:
        """In every order of changes in two processes: a denied request is not allowed by the database, and an allowed one was so at most five seconds ago."""
        for seed in range(300):
            choices = random.Random(seed)
            self.setUp()
            #: When a user last lost a right, by name and resource; by which process.
            lost: dict[tuple[str, str], tuple[float, Process]] = {}
            names, resources = ["alice", "bob", "carol"], ["a", "b"]
            for step in range(60):
                process = choices.choice(self.processes)
                name, resource = choices.choice(names), choices.choice(resources)
                had = {(each, what): self.is_granted(each, what) for each in names for what in resources}
                change = choices.randrange(8)
                if change == 0 and name not in self.database.users:
                    # SQLite gives the id of a deleted user again.
                    free = next(number for number in range(1, 9) if number not in self.database.users.values())
                    process.store.create_user(name, free)
                elif change == 1 and name in self.database.users:
                    process.store.delete_user(name)
                elif change == 2 and name in self.database.users:
                    process.store.grant(name, resource)
                elif change == 3 and name in self.database.users:
                    process.store.revoke(name, resource)
                elif change == 4:
                    self.now += choices.choice([0.5, 2.0, 4.9])
                else:
                    allowed = process.may(name, resource)
                    if self.is_granted(name, resource):
                        self.assertTrue(allowed, f"seed {seed}, step {step}")
                    elif allowed:
                        at, by = lost.get((name, resource), (-99.0, None))
                        self.assertIsNot(by, process, f"seed {seed}, step {step}")
                        self.assertLess(self.now - at, 5, f"seed {seed}, step {step}")
                for key, before in had.items():
                    if before and not self.is_granted(*key):
                        lost[key] = (self.now, process)

    def is_granted(self, name: str, resource: str) -> bool:
        return resource in self.database.grants.get(self.database.users.get(name), set())


class ListsTest(unittest.TestCase):
    """The rows of a list, in two processes."""

    def setUp(self) -> None:
        self.now = 0.0
        self.database = Database()
        self.stores = [Store(self.database) for _ in range(2)]
        self.one, self.other = self.stores
        self.one.create_user("alice")
        self.one.create_user("bob")
        self.one.grant("alice", "a")
        self.memory = Memory(5, 8, lambda: self.now)
        Users(self.one, self.memory)
        self.workspace: str | None = None
        self.select = cached_rows(self.predicate, self.memory, lambda: self.workspace)

    def predicate(self, username: str, resource_type: str, also_require: Any = ()) -> Callable[[str], bool]:
        user = self.one.get_user(username)
        grants = set(self.one.list_grants(user.id, "default", {"a", "b", *map(str, range(100))}))
        return lambda row: row in grants

    def seen(self, username: str = "alice", rows: Sequence[str] = ("a", "b")) -> list[str]:
        may_see = self.select(username, "experiment")
        return [row for row in rows if may_see(row)]

    def reads(self, username: str = "alice") -> tuple[list[str], int]:
        """What a list shows, and how many reads of the database it took."""
        before = self.one.reads
        return self.seen(username), self.one.reads - before

    def test_a_second_list_reads_nothing(self) -> None:
        self.assertEqual(self.seen(), ["a"])
        self.assertEqual(self.reads(), (["a"], 0))

    def test_a_cached_list_expires(self) -> None:
        self.seen()
        self.now = 5.0
        self.assertGreater(self.reads()[1], 0)

    def test_a_removal_by_another_process_counts_after_five_seconds(self) -> None:
        self.assertEqual(self.seen(), ["a"])
        self.other.revoke("alice", "a")
        self.now = 4.9
        self.assertEqual(self.seen(), ["a"])
        self.now = 5.0
        self.assertEqual(self.seen(), [])

    def test_changes_of_this_process_count_at_once(self) -> None:
        self.assertEqual(self.seen(), ["a"])
        self.one.grant("alice", "b")
        self.assertEqual(self.seen(), ["a", "b"])
        self.one.revoke("alice", "a")
        self.assertEqual(self.seen(), ["b"])

    def test_a_new_resource_of_another_process_is_seen_at_once(self) -> None:
        self.assertEqual(self.seen(rows=["a"]), ["a"])
        self.other.grant("alice", "b")
        self.assertEqual(self.seen(), ["a", "b"])

    def test_a_row_that_was_hidden_is_seen_after_five_seconds_when_another_process_grants_it(self) -> None:
        self.assertEqual(self.seen(), ["a"])
        self.other.grant("alice", "b")
        self.assertEqual(self.seen(), ["a"])
        self.now = 5.0
        self.assertEqual(self.seen(), ["a", "b"])

    def test_another_user_another_workspace_and_another_type_are_other_lists(self) -> None:
        self.assertEqual(self.seen(), ["a"])
        self.assertEqual(self.seen("bob"), [])
        self.one.reads = 0
        self.workspace = "team"
        self.assertEqual(self.seen(), ["a"])
        self.assertGreater(self.one.reads, 0)
        self.assertTrue(self.select("alice", "prompt")("a"))

    def test_a_deleted_user_whose_id_is_reused_sees_nothing_of_the_new_one(self) -> None:
        self.assertEqual(self.seen(), ["a"])
        user_id = self.database.users["alice"]
        self.other.delete_user("alice")
        self.other.create_user("mallory", user_id)
        self.other.grant("mallory", "b")
        self.assertEqual(self.seen(), ["a"])
        for rows in (["b", "c"], ["a", "b"]):
            self.now += 2.5
            with self.assertRaises(LookupError):
                self.seen(rows=rows)

    def test_a_list_that_is_read_while_a_grant_is_written_hides_nothing_later(self) -> None:
        rows = self.select("alice", "experiment")
        self.one.grant("alice", "b")
        rows("b")
        self.assertEqual(self.seen(), ["a", "b"])

    def test_random_histories(self) -> None:
        """What a list shows was allowed at most five seconds ago, and what it hides was so as well."""
        for seed in range(200):
            choices = random.Random(seed)
            self.setUp()
            changes = [(0.0, frozenset({"a"}))]
            for _ in range(40):
                self.now += choices.choice([0.0, 0.1, 1.0, 2.5, 6.0])
                store = choices.choice(self.stores)
                row = choices.choice("ab")
                action = choices.choice(["grant", "revoke", "list", "list"])
                if action == "list":
                    seen = self.seen()
                    before = [rows for at, rows in changes if at <= self.now - 5][-1:]
                    recent = [*before, *(rows for at, rows in changes if at > self.now - 5)]
                    for each in "ab":
                        self.assertTrue(any((each in rows) == (each in seen) for rows in recent), seed)
                else:
                    getattr(store, action)("alice", row)
                    changes.append((self.now, frozenset(self.database.grants.get(self.database.users["alice"], ()))))

    def test_the_role_is_cached_only_while_a_list_is_filtered(self) -> None:
        is_admin = cached_role(lambda: bool(self.one.get_user("alice").id > 0))
        read = filtered(is_admin)
        self.assertTrue(read())
        before = self.one.reads
        self.assertTrue(read())
        self.assertEqual(self.one.reads, before)
        self.assertTrue(is_admin())
        self.assertEqual(self.one.reads, before + 1)

    def test_the_filters_of_mlflow_are_replaced_and_nothing_else(self) -> None:
        def filter_search_experiments(_: Any) -> Any:
            return self.auth.sender_is_admin()

        def set_can_manage(_: Any) -> Any:
            return self.auth.sender_is_admin()

        self.auth = SimpleNamespace(
            retention_gate=lambda: None,
            _role_based_read_predicate=self.predicate,
            sender_is_admin=lambda: self.one.get_user("alice").id > 0,
            filter_experiment_ids=lambda ids: ids,
            workspace_context=SimpleNamespace(get_request_workspace=lambda: None),
            AFTER_REQUEST_HANDLERS={("/a", "POST"): filter_search_experiments, ("/b", "POST"): set_can_manage},
            PARAMETERIZED_AFTER_REQUEST_HANDLERS={},
            _SELF_AUTHORIZING_AFTER_REQUEST_HANDLERS=frozenset({filter_search_experiments}),
        )
        cache_lists(self.auth, self.memory)
        handlers = self.auth.AFTER_REQUEST_HANDLERS
        self.assertIs(handlers["/b", "POST"], set_can_manage)
        self.assertEqual(self.auth._SELF_AUTHORIZING_AFTER_REQUEST_HANDLERS, {handlers["/a", "POST"]})
        handlers["/a", "POST"](None)
        before = self.one.reads
        handlers["/a", "POST"](None)
        self.assertEqual(self.one.reads, before)
        handlers["/b", "POST"](None)
        self.assertEqual(self.one.reads, before + 1)
        del self.auth.sender_is_admin
        with self.assertRaisesRegex(RuntimeError, "sender_is_admin"):
            cache_lists(self.auth, self.memory)


class PasswordsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.memory = Memory(5, 8)
        self.passwords = {"alice": "right"}
        self.hashes = 0
        cache: dict[tuple[str, str], str] = {}
        self.meanwhile: Callable[[], None] = lambda: None

        def check(username: str, password: str) -> str | None:
            key = (username, password)
            if key in cache:
                return cache[key]
            self.hashes += 1
            is_right = self.passwords.get(username) == password
            self.meanwhile()
            if not is_right:
                return None
            cache[key] = username
            return username

        def invalidate(username: str) -> None:
            for key in [key for key in cache if key[0] == username]:
                del cache[key]

        self.auth = SimpleNamespace(
            _authenticate_cached=check,
            _USER_AUTH_CACHE=cache,
            _USER_AUTH_CACHE_LOCK=threading.Lock(),
            _auth_cache_key=lambda username, password: (username, password),
            _invalidate_user_auth_cache=invalidate,
        )
        self.authenticate = once_at_a_time(self.auth, self.memory)

    def test_of_many_at_once_one_hashes(self) -> None:
        self.meanwhile = lambda: time.sleep(0.02)
        answers: list[str | None] = []
        threads = [
            threading.Thread(target=lambda: answers.append(self.authenticate("alice", "right"))) for _ in range(32)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(answers, ["alice"] * 32)
        self.assertEqual(self.hashes, 1)

    def test_another_password_is_another_credential(self) -> None:
        self.assertEqual(self.authenticate("alice", "right"), "alice")
        self.assertIsNone(self.authenticate("alice", "wrong"))

    def test_a_password_that_changes_during_the_check_is_not_cached(self) -> None:
        def change() -> None:
            self.meanwhile = lambda: None
            self.passwords["alice"] = "new"
            self.auth._invalidate_user_auth_cache("alice")
            self.memory.clear()

        self.meanwhile = change
        self.assertIsNone(self.authenticate("alice", "right"))
        self.assertIsNone(self.authenticate("alice", "right"))
        self.assertEqual(self.authenticate("alice", "new"), "alice")

    def test_turns_leave_nothing_behind(self) -> None:
        turns = Turns()
        with turns.of("a"), turns.of("b"):
            self.assertEqual(len(turns._turns), 2)
        self.assertEqual(turns._turns, {})


class RunsTest(unittest.TestCase):
    def test_the_experiment_of_a_run_is_read_once_for_each_workspace(self) -> None:
        reads: list[str] = []
        workspace = "one"

        def get_run(identifier: str) -> Any:
            reads.append(identifier)
            return SimpleNamespace(info=SimpleNamespace(experiment_id="7")) if identifier == "known" else None

        context = SimpleNamespace(get_request_workspace=lambda: workspace)
        auth = SimpleNamespace(_fetch_or_none=lambda read, identifier: read(identifier), workspace_context=context)
        fetched = cached_runs(auth, Memory(5, 8))
        with deciding():
            self.assertEqual(fetched(get_run, "known").info.experiment_id, "7")
            self.assertEqual(fetched(get_run, "known").info.experiment_id, "7")
            self.assertEqual(reads, ["known"])
            workspace = "two"
            fetched(get_run, "known")
            self.assertEqual(len(reads), 2)
            for _ in range(2):
                self.assertIsNone(fetched(get_run, "unknown"))
        self.assertEqual(len(reads), 4)


if __name__ == "__main__":
    unittest.main()

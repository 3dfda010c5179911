"""Tests of the cache of logins."""

import threading
import time
import unittest

from mlflow_ldap_cache import Cache, CredentialKey


class Remembering(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.memory: Cache[str] = Cache(2, lambda: self.now)

    def test_an_entry_expires(self) -> None:
        self.memory.put("a", "yes", 60)
        self.now = 59.9
        self.assertEqual(self.memory.get("a"), "yes")
        self.now = 60.0
        self.assertIsNone(self.memory.get("a"))

    def test_the_size_is_limited(self) -> None:
        for key in ["a", "b", "c"]:
            self.memory.put(key, key, 60)
        self.assertEqual([self.memory.get(key) for key in ["a", "b", "c"]], [None, "b", "c"])

    def test_forty_concurrent_requests_are_one_query(self) -> None:
        asked: list[int] = []

        def answer() -> tuple[str, float]:
            asked.append(1)
            time.sleep(0.2)
            return "yes", 60

        answers: list[str] = []
        threads = [
            threading.Thread(target=lambda: answers.append(self.memory.get_or_query("a", answer))) for _ in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(asked), answers), (1, ["yes"] * 40))

    def test_a_failure_is_not_cached_and_releases_the_lock(self) -> None:
        def fails() -> tuple[str, float]:
            raise OSError

        with self.assertRaises(OSError):
            self.memory.get_or_query("a", fails)
        self.assertEqual(self.memory.get_or_query("a", lambda: ("yes", 60)), "yes")


class Keys(unittest.TestCase):
    def test_keys_are_unique_and_do_not_contain_credentials(self) -> None:
        key = CredentialKey()
        self.assertEqual(key("ada", "secret"), key("ada", "secret"))
        self.assertNotEqual(key("ada", "secret"), key("ada", "secret2"))
        self.assertNotEqual(key("a", "b"), CredentialKey()("a", "b"))
        self.assertNotIn(b"secret", key("ada", "secret"))

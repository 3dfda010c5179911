"""Claims about what is remembered."""

import threading
import time
import unittest

from mlflow_ldap_memory import CredentialKey, Memory


class Remembering(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.memory: Memory[str] = Memory(2, lambda: self.now)

    def test_an_answer_is_forgotten_when_its_time_is_over(self) -> None:
        self.memory.put("a", "yes", 60)
        self.now = 59.9
        self.assertEqual(self.memory.get("a"), "yes")
        self.now = 60.0
        self.assertIsNone(self.memory.get("a"))

    def test_no_more_than_its_size_is_kept(self) -> None:
        for key in ["a", "b", "c"]:
            self.memory.put(key, key, 60)
        self.assertEqual([self.memory.get(key) for key in ["a", "b", "c"]], [None, "b", "c"])

    def test_forty_at_once_are_one_question(self) -> None:
        asked: list[int] = []

        def answer() -> tuple[str, float]:
            asked.append(1)
            time.sleep(0.2)
            return "yes", 60

        answers: list[str] = []
        threads = [threading.Thread(target=lambda: answers.append(self.memory.ask("a", answer))) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual((len(asked), answers), (1, ["yes"] * 40))

    def test_a_failure_is_not_remembered_and_holds_up_nobody(self) -> None:
        def fails() -> tuple[str, float]:
            raise OSError

        with self.assertRaises(OSError):
            self.memory.ask("a", fails)
        self.assertEqual(self.memory.ask("a", lambda: ("yes", 60)), "yes")


class Keys(unittest.TestCase):
    def test_keys_tell_credentials_apart_and_hold_neither(self) -> None:
        key = CredentialKey()
        self.assertEqual(key("ada", "secret"), key("ada", "secret"))
        self.assertNotEqual(key("ada", "secret"), key("ada", "secret2"))
        self.assertNotEqual(key("a", "b"), CredentialKey()("a", "b"))
        self.assertNotIn(b"secret", key("ada", "secret"))

import json
import os
import random
import re
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any

from mlflow_operator.grants import EXPERIMENT, MODEL, Grants, Pattern
from mlflow_operator.grants_file import GrantsFile


def grant(permission: str, **others: Any) -> dict[str, Any]:
    return {"permission": permission, "users": [], "groups": [], "experiments": [], "registeredModels": [], **others}


def permission(
    grants: Grants, username: str, name: str, groups: frozenset[str] = frozenset(), kind: str = EXPERIMENT
) -> str | None:
    return grants.permission(username, lambda: groups, kind, lambda: name)


class PatternTest(unittest.TestCase):
    def test_matches_as_a_regular_expression_in_which_a_star_is_any_text(self) -> None:
        chosen = random.Random(20)
        for _ in range(20_000):
            pattern = "".join(chosen.choices("ab/*", k=chosen.randrange(1, 7)))
            name = "".join(chosen.choices("ab/", k=chosen.randrange(0, 9)))
            expression = ".*".join(map(re.escape, pattern.split("*")))
            expected = re.fullmatch(expression, name) is not None
            self.assertEqual(Pattern(pattern).matches(name), expected, (pattern, name))

    def test_is_fast_where_a_regular_expression_is_not(self) -> None:
        started = time.perf_counter()
        self.assertFalse(Pattern("*".join(["a"] * 60) + "*b").matches("a" * 50_000))
        self.assertLess(time.perf_counter() - started, 1)

    def test_takes_all_other_characters_as_they_are(self) -> None:
        for pattern, name in [("a.c", "abc"), ("a+", "aa"), ("A", "a"), ("a", "a "), ("é", "e\u0301"), ("a", "")]:
            self.assertFalse(Pattern(pattern).matches(name), pattern)
        for pattern, name in [
            ("team-a/*", "team-b/team-a/x"),
            ("team-a/*", "Team-a/x"),
            ("team-a/*", "team\u2010a/x"),
            ("team-a/*", "\u200bteam-a/x"),
            ("team-a/*", "team-a\u2215x"),
            ("team-a/*", "team-a"),
            ("*-a", "team-a "),
            ("*-a", "team-a\n"),
            ("a*a", "a"),
            ("ab*ba", "aba"),
            ("team-a", "team-*"),
            ("team-*b", "team-a"),
        ]:
            self.assertFalse(Pattern(pattern).matches(name), (pattern, name))
        for pattern, name in [
            ("team-a/*", "team-a/"),
            ("team-a/*", "team-a/x/y\n\u2028z "),
            ("team-a/*", "team-a/*"),
            ("*", ""),
            ("模型-*", "模型-🚀"),
        ]:
            self.assertTrue(Pattern(pattern).matches(name), (pattern, name))


class GrantsTest(unittest.TestCase):
    def test_the_highest_permission_counts(self) -> None:
        grants = Grants(
            [
                grant("MANAGE", users=["ada"], experiments=["team-a/own-*"]),
                grant("READ", users=["ada", "bob"], experiments=["team-a/*"]),
                grant("EDIT", groups=["a"], experiments=["*"]),
            ]
        )
        for username, name, groups, expected in [
            ("ada", "team-a/own-1", frozenset(), "MANAGE"),
            ("ada", "team-a/x", frozenset(), "READ"),
            ("ada", "team-a/x", frozenset({"a"}), "EDIT"),
            ("ada", "team-b/x", frozenset(), None),
            ("bob", "team-a/own-1", frozenset(), "READ"),
            ("eve", "team-a/own-1", frozenset({"b"}), None),
            ("Ada", "team-a/own-1", frozenset(), None),
        ]:
            self.assertEqual(permission(grants, username, name, groups), expected, (username, name, groups))

    def test_experiments_and_models_have_separate_patterns(self) -> None:
        grants = Grants(
            [grant("EDIT", users=["ada"], experiments=["*"]), grant("READ", users=["ada"], registeredModels=["m"])]
        )
        self.assertEqual(permission(grants, "ada", "m"), "EDIT")
        self.assertEqual(permission(grants, "ada", "m", kind=MODEL), "READ")
        self.assertIsNone(permission(grants, "ada", "other", kind=MODEL))

    def test_reads_groups_and_names_only_if_they_can_matter(self) -> None:
        def fail() -> Any:
            raise AssertionError

        grants = Grants([grant("READ", users=["ada"], experiments=["*"])])
        self.assertIsNone(grants.permission("eve", fail, EXPERIMENT, fail))
        self.assertIsNone(grants.permission("ada", fail, MODEL, fail))
        self.assertIsNone(grants.permission("ada", fail, EXPERIMENT, lambda: None))

    def test_knows_which_new_names_change_access(self) -> None:
        grants = Grants([grant("READ", users=["ada"], experiments=["team-a/*"])])
        for before, after, expected in [
            ("x", "team-a/x", True),
            ("team-a/x", "x", True),
            ("x", "y", False),
            ("team-a/x", "team-a/y", False),
        ]:
            self.assertEqual(grants.is_granted_differently(EXPERIMENT, before, after), expected, (before, after))
            self.assertFalse(grants.is_granted_differently(MODEL, before, after))

    def test_compares_keys_of_names(self) -> None:
        grants = Grants([grant("READ", users=["Ada"], groups=["CN=A"], experiments=["*"])], str.lower, str.lower)
        self.assertEqual(permission(grants, "ada", "x"), "READ")
        self.assertEqual(permission(grants, "eve", "x", frozenset({"cn=a"})), "READ")

    def test_an_unknown_permission_is_an_error(self) -> None:
        with self.assertRaises(ValueError):
            Grants([grant("OWNER", users=["ada"], experiments=["*"])])


class GrantsFileTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "access.json"
        self.now = 0.0
        self.write("READ")
        self.file = GrantsFile(self.path, clock=lambda: self.now)
        self.changes = 0
        self.file.changed.append(self.count)

    def count(self) -> None:
        self.changes += 1

    def write(self, level: str | None, text: str = "") -> None:
        """As the kubelet writes it: another file with the same name."""
        new = self.folder / "new"
        if level is not None:
            text = json.dumps({"grants": [grant(level, users=["ada"], experiments=["*"])]})
        new.write_text(text, encoding="utf-8")
        os.replace(new, self.path)

    def found(self) -> str | None:
        return permission(self.file.grants(), "ada", "x")

    def test_a_change_counts_after_two_seconds(self) -> None:
        self.write("EDIT")
        self.assertEqual(self.found(), "READ")
        self.now = 2.0
        self.assertEqual((self.found(), self.changes), ("EDIT", 1))
        self.now = 4.0
        self.assertEqual((self.found(), self.changes), ("EDIT", 1))

    def test_a_damaged_file_grants_nothing_until_it_is_written_again(self) -> None:
        grants = {"grants": [grant("READ", users=["ada"], experiments=["*"])]}
        for number, text in enumerate(
            [
                "{",
                "",
                "null",
                "[]",
                "{}",
                '{"grants": 1}',
                "[" * 200_000,
                json.dumps(grants).replace("READ", "OWNER"),
                json.dumps(grants).replace('["ada"]', '"ada"'),
                json.dumps(grants).replace('["*"]', '"*"'),
                json.dumps(grants).replace('["*"]', "[1]"),
                json.dumps(grants).replace('"groups": [], ', ""),
            ]
        ):
            with self.subTest(text[:80]):
                self.write(None, text)
                self.now += 2.0
                with self.assertLogs("mlflow.operator.access", "ERROR"):
                    self.assertIsNone(self.found())
                self.assertEqual(self.changes, 2 * number + 1)
                self.write("READ")
                self.now += 2.0
                self.assertEqual((self.found(), self.changes), ("READ", 2 * number + 2))
                self.write(None, text)
                with self.assertRaises((ValueError, KeyError, TypeError, RecursionError)):
                    GrantsFile(self.path)
                self.write("READ")
                self.now += 2.0
                self.file.grants()
                self.changes = 2 * number + 2

    def test_without_a_file_nothing_is_granted(self) -> None:
        self.path.unlink()
        self.now += 2.0
        self.assertEqual((self.found(), self.changes), (None, 1))
        with self.assertLogs("mlflow.operator.access", "WARNING"):
            file = GrantsFile(self.path, clock=lambda: self.now)
        self.assertIsNone(permission(file.grants(), "ada", "x"))
        self.write("EDIT")
        self.now += 2.0
        self.assertEqual((self.found(), permission(file.grants(), "ada", "x")), ("EDIT", "EDIT"))

    def test_a_file_that_could_not_be_read_is_read_again(self) -> None:
        self.path.unlink()
        self.path.mkdir()
        self.now += 2.0
        with self.assertLogs("mlflow.operator.access", "ERROR"):
            self.assertIsNone(self.found())
        self.path.rmdir()
        self.write("EDIT")
        self.now += 2.0
        self.assertEqual(self.found(), "EDIT")


if __name__ == "__main__":
    unittest.main()

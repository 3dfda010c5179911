"""The grants of `spec.access`: the permission of a user on experiments and models, by their names.

They are not in MLflow's database. The operator writes them to a file, and each decision of MLflow takes the higher one of its own permission and
that of the grants. So there is no copy that could differ, and a new experiment has its grants from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

#: From the lowest to the highest.
PERMISSIONS = ("READ", "EDIT", "MANAGE")
EXPERIMENT, MODEL = "experiments", "registeredModels"
#: How many users have their patterns selected in advance.
USERS = 1024

Key = Callable[[str], Hashable]


class Pattern:
    """A name in which * stands for any text, also an empty one and one with a slash. Takes linear time, unlike a regular expression."""

    def __init__(self, text: str) -> None:
        self.first, *rest = text.split("*")
        self.middle, self.last = rest[:-1], rest[-1] if rest else None

    def matches(self, name: str) -> bool:
        if self.last is None:
            return name == self.first
        at, end = len(self.first), len(name) - len(self.last)
        if at > end or not name.startswith(self.first) or not name.endswith(self.last):
            return False
        for piece in self.middle:
            found = name.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True


@dataclass(frozen=True)
class Grant:
    permission: str
    users: frozenset[Hashable]
    groups: frozenset[Hashable]
    #: By kind of resource.
    patterns: dict[str, tuple[Pattern, ...]]

    def matches(self, kind: str, name: str) -> bool:
        return any(pattern.matches(name) for pattern in self.patterns[kind])


def same(text: str) -> Hashable:
    return text


def texts(value: object) -> list[str]:
    """Returns the value if it is a list of texts. A text is a sequence of texts as well, and each character would be a name."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("names must be lists of texts")
    return value


class Grants:
    """All grants of a server. Names of users and groups are compared by their keys."""

    def __init__(self, given: Iterable[dict[str, Any]], user_key: Key = same, group_key: Key = same) -> None:
        self._user_key = user_key
        self._grants = [
            Grant(
                each["permission"],
                frozenset(map(user_key, texts(each["users"]))),
                frozenset(map(group_key, texts(each["groups"]))),
                {kind: tuple(map(Pattern, texts(each[kind]))) for kind in (EXPERIMENT, MODEL)},
            )
            for each in given
        ]
        unknown = {each.permission for each in self._grants}.difference(PERMISSIONS)
        if unknown:
            raise ValueError(f"unknown permissions: {sorted(unknown)}")
        self.has_groups = any(each.groups for each in self._grants)
        self._selected: dict[Hashable, list[tuple[str, Sequence[Pattern]]]] = {}

    def permission(
        self, username: str, groups: Callable[[], frozenset[Hashable]], kind: str, name: Callable[[], str | None]
    ) -> str | None:
        """Returns the highest permission that a grant gives; None without one. Reads groups and name only if they can matter."""
        patterns = self._patterns(username, groups() if self.has_groups else frozenset(), kind)
        found = name() if patterns else None
        if found is None:
            return None
        return next((permission for permission, some in patterns if any(each.matches(found) for each in some)), None)

    def is_granted_differently(self, kind: str, before: str, after: str) -> bool:
        """Whether a renamed resource has other grants than before."""
        return any(each.matches(kind, before) != each.matches(kind, after) for each in self._grants)

    def _patterns(self, username: str, groups: frozenset[Hashable], kind: str) -> list[tuple[str, Sequence[Pattern]]]:
        """Returns the patterns of a user, the highest permission first."""
        key = (username, groups, kind)
        known = self._selected.get(key)
        if known is not None:
            return known
        user = self._user_key(username)
        found: list[tuple[str, Sequence[Pattern]]] = [
            (each.permission, each.patterns[kind])
            for each in self._grants
            if each.patterns[kind] and (user in each.users or not groups.isdisjoint(each.groups))
        ]
        found.sort(key=lambda each: -PERMISSIONS.index(each[0]))
        if len(self._selected) >= USERS:
            self._selected.clear()
        self._selected[key] = found
        return found

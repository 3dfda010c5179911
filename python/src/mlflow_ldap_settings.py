"""The operator's settings for the directory: ldap.json, next to this module."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Credentials:
    """The files with the DN and the password for searches, read each time."""

    dn_file: str
    password_file: str

    def read(self) -> tuple[str, bytes]:
        return Path(self.dn_file).read_text(encoding="utf-8"), Path(self.password_file).read_bytes()


@dataclass(frozen=True)
class Search:
    """The search for a user's entry by name."""

    base: str
    filter: str
    #: The attribute of the entry whose value is the name of the account in MLflow.
    username_attribute: str
    credentials: Credentials | None


@dataclass(frozen=True)
class Groups:
    """The search for the groups of a user, and which groups are for users and administrators."""

    base: str
    filter: str
    attribute: str
    user: str
    admin: str


@dataclass(frozen=True)
class Settings:
    host: str
    port: int
    tls: bool
    start_tls: bool
    verify: bool
    ca_file: str | None
    #: How long a successful login is cached.
    accepted_seconds: int
    user_bind: str
    search: Search | None
    groups: Groups


def settings_from(path: Path) -> Settings:
    """Reads the operator's file. The operator has validated it; a missing key is an error and has no default."""
    given = json.loads(path.read_text(encoding="utf-8"))
    search = given["search"]
    credentials = search and search["credentials"]
    return Settings(
        host=given["host"],
        port=given["port"],
        tls=given["tls"],
        start_tls=given["startTLS"],
        verify=given["verify"],
        ca_file=given["caFile"],
        accepted_seconds=given["acceptedSeconds"],
        user_bind=given["userBind"],
        search=search
        and Search(
            search["base"],
            search["filter"],
            search["usernameAttribute"],
            credentials and Credentials(credentials["dnFile"], credentials["passwordFile"]),
        ),
        groups=Groups(**given["groups"]),
    )

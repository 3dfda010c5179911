"""Tests of authentication with a real slapd."""

import dataclasses
import shutil
import socket
import threading
import time
import unittest
from pathlib import Path
from typing import Any

from mlflow_ldap_directory import Directory, Role, Unavailable
from mlflow_ldap_settings import Credentials, Groups, Search, Settings
from slapd import PATH, Slapd

BASE = "dc=mlflow,dc=test"
GROUPS = f"ou=groups,{BASE}"
PEOPLE = f"ou=people,{BASE}"
ODD = "o,dd *()\\"
ODD_PASSWORD = 'pässwörd:with,everything"\\'


@unittest.skipUnless(shutil.which("slapd", path=PATH), "no slapd")
class WithSlapd(unittest.TestCase):
    slapd: Slapd

    @classmethod
    def setUpClass(cls) -> None:
        cls.slapd = Slapd()
        cls.addClassCleanup(cls.slapd.close)
        (cls.slapd.folder / "dn").write_text(f"cn=searcher,{BASE}")
        (cls.slapd.folder / "password").write_text("of-searcher-12345")

    def settings(self, **other: Any) -> Settings:
        member = "(&(objectclass=groupOfUniqueNames)(uniquemember=%s))"
        groups = Groups(GROUPS, member, "dn", f"CN=Test-User, {GROUPS}", f"cn=test-admin,{GROUPS}")
        template = Settings(
            host="localhost",
            port=self.slapd.tls_port,
            tls=True,
            start_tls=False,
            verify=True,
            ca_file=self.slapd.ca_file,
            accepted_seconds=60,
            user_bind=f"uid=%s,{PEOPLE}",
            search=None,
            groups=groups,
        )
        return dataclasses.replace(template, **other)

    def search(self, filter: str = "(uid=%s)", password_file: str = "password", attribute: str = "uid") -> Search:
        folder: Path = self.slapd.folder
        return Search(PEOPLE, filter, attribute, Credentials(str(folder / "dn"), str(folder / password_file)))

    def role(self, name: str, password: str, **other: Any) -> Role:
        return Directory(self.settings(**other)).login(name, password).role

    def account(self, name: str, password: str, **other: Any) -> str:
        return Directory(self.settings(**other)).login(name, password).account


class Roles(WithSlapd):
    def test_groups_decide_with_a_template_and_with_a_search(self) -> None:
        for search in [None, self.search()]:
            with self.subTest(search=search):
                self.assertEqual(self.role("ada", "of-ada-1234567", search=search), Role.ADMIN)
                self.assertEqual(self.role("bob", "of-bob-1234567", search=search), Role.USER)
                self.assertEqual(self.role("eve", "of-eve-1234567", search=search), Role.NONE)
                self.assertEqual(self.role(ODD, ODD_PASSWORD, search=search), Role.USER)

    def test_invalid_credentials_are_rejected(self) -> None:
        for search in [None, self.search()]:
            for name, password in [
                ("ada", "wrong"),
                ("ada", "of-bob-1234567"),
                ("nobody", "of-ada-1234567"),
                ("", "of-ada-1234567"),
                ("*", "of-ada-1234567"),
                ("ad*", "of-ada-1234567"),
                ("ada)(uid=*", "of-ada-1234567"),
                (f"ada,{PEOPLE}", "of-ada-1234567"),
                ("ada\\", "of-ada-1234567"),
                ("\\61da", "of-ada-1234567"),
                ("(", "x"),
                ("ada+cn=Ada", "of-bob-1234567"),
            ]:
                with self.subTest(search=search is not None, name=name):
                    self.assertEqual(self.role(name, password, search=search), Role.NONE)

    def test_a_bind_without_a_password_is_rejected_although_the_directory_accepts_it(self) -> None:
        # SASLprep, which ldap3 applies to text, reduces the last two to empty passwords.
        for password in ["", "\u00ad", "\u200b\ufeff"]:
            for search in [None, self.search()]:
                with self.subTest(password=password):
                    self.assertEqual(self.role("ada", password, search=search), Role.NONE)

    def test_several_entries_are_rejected(self) -> None:
        both = self.search("(mail=%s)")
        self.assertEqual(self.role("shared@mlflow.test", "of-bob-1234567", search=both), Role.NONE)
        self.assertEqual(self.role("ada@mlflow.test", "of-ada-1234567", search=both), Role.ADMIN)

    def test_each_entry_is_one_account_with_any_of_its_names(self) -> None:
        two = "(|(uid=%s)(mail=%s)(cn=%s))"
        for attribute, account in [("uid", "ada"), ("mail", "ada@mlflow.test"), ("CN", "ada")]:
            search = self.search(two, attribute=attribute)
            for typed in ["ada", "ada@mlflow.test"]:
                with self.subTest(attribute=attribute, typed=typed):
                    self.assertEqual(self.account(typed, "of-ada-1234567", search=search), account)
        self.assertEqual(self.account("ada", "of-ada-1234567"), "ada")
        self.assertEqual(self.account(ODD, ODD_PASSWORD, search=self.search()), ODD)

    def test_the_value_in_the_dn_is_the_account_of_several_values_and_required(self) -> None:
        entry = f"dn: uid=ada,{PEOPLE}\nchangetype: modify\n"
        self.slapd.modify(f"{entry}add: uid\nuid: Countess\n-\nadd: mail\nmail: countess@mlflow.test\n")
        try:
            for typed in ["ada", "countess"]:
                self.assertEqual(self.account(typed, "of-ada-1234567", search=self.search()), "ada")
            for attribute in ["mail", "telephoneNumber"]:
                with self.assertLogs("mlflow.ldap") as logs:
                    search = self.search("(uid=%s)", attribute=attribute)
                    self.assertEqual(self.role("ada", "of-ada-1234567", search=search), Role.NONE)
                self.assertIn("usernameAttribute", logs.output[0])
                self.assertNotIn("of-ada", logs.output[0])
        finally:
            self.slapd.modify(f"{entry}delete: uid\nuid: Countess\n-\ndelete: mail\nmail: countess@mlflow.test\n")

    def test_groups_by_attribute(self) -> None:
        member = "(&(objectclass=groupOfUniqueNames)(uniquemember=%s))"
        by_name = Groups(GROUPS, member, "CN", "TEST-user", "test-admin")
        by_user = dataclasses.replace(self.settings().groups, base=PEOPLE, filter="(entryDN=%s)", attribute="memberof")
        for groups in [by_name, by_user]:
            with self.subTest(groups):
                self.assertEqual(self.role("ada", "of-ada-1234567", groups=groups), Role.ADMIN)
                self.assertEqual(self.role("bob", "of-bob-1234567", groups=groups), Role.USER)
                self.assertEqual(self.role("eve", "of-eve-1234567", groups=groups), Role.NONE)

    def test_groups_are_read_at_each_login(self) -> None:
        member = f"uniqueMember: uid=ada,{PEOPLE}\n"
        group = f"dn: cn=test-admin,{GROUPS}\nchangetype: modify\n"
        self.slapd.modify(f"{group}replace: uniqueMember\nuniqueMember: {ROOT_MEMBER}\n")
        self.assertEqual(self.role("ada", "of-ada-1234567"), Role.USER)
        self.slapd.modify(f"{group}replace: uniqueMember\n{member}")
        self.assertEqual(self.role("ada", "of-ada-1234567"), Role.ADMIN)


ROOT_MEMBER = f"cn=root,{BASE}"


class Faults(WithSlapd):
    def unavailable(self, **other: Any) -> str:
        with self.assertRaises(Unavailable) as raised:
            self.role("ada", "of-ada-1234567", **other)
        self.assertNotIn("of-ada", str(raised.exception))
        return str(raised.exception)

    def test_tls_modes(self) -> None:
        plain: dict[str, Any] = {"tls": False, "port": self.slapd.port}
        cases: list[dict[str, Any]] = [
            {},
            {**plain, "start_tls": True},
            plain,
            {"verify": False, "ca_file": None},
            {**plain, "start_tls": True, "verify": False, "ca_file": None, "host": "127.0.0.1"},
        ]
        for other in cases:
            with self.subTest(other):
                self.assertEqual(self.role("ada", "of-ada-1234567", **other), Role.ADMIN)

    def test_an_untrusted_certificate_ends_the_connection_before_a_password_is_sent(self) -> None:
        plain: dict[str, Any] = {"tls": False, "port": self.slapd.port, "start_tls": True}
        cases: list[dict[str, Any]] = [
            {"ca_file": None},
            {"host": "127.0.0.1"},
            {**plain, "ca_file": None},
            {**plain, "host": "127.0.0.1"},
        ]
        for other in cases:
            with self.subTest(other):
                self.assertIn("CERTIFICATE_VERIFY_FAILED", self.unavailable(**other))

    def test_an_unreachable_directory_authenticates_no_user(self) -> None:
        self.slapd.stop()
        self.assertIn("cannot be reached", self.unavailable())
        self.slapd.start()
        self.assertEqual(self.role("ada", "of-ada-1234567"), Role.ADMIN)

    def test_a_hanging_directory_times_out_within_ten_seconds(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            threading.Thread(target=lambda: silent.accept(), daemon=True).start()
            began = time.monotonic()
            self.unavailable(tls=False, port=silent.getsockname()[1])
            self.assertLess(time.monotonic() - began, 10)

    def test_settings_without_results_are_reported_and_authenticate_no_user(self) -> None:
        wrong = dataclasses.replace(self.settings().groups, base=f"ou=nothing,{BASE}")
        self.assertIn("noSuchObject", self.unavailable(groups=wrong))
        broken = dataclasses.replace(self.settings().groups, filter="(uniquemember=%s")
        self.assertIn("Filter", self.unavailable(groups=broken))
        (self.slapd.folder / "wrong").write_text("wrong")
        self.assertIn("bindCredentials", self.unavailable(search=self.search(password_file="wrong")))
        (self.slapd.folder / "empty").write_text("")
        self.assertIn("bindCredentials", self.unavailable(search=self.search(password_file="empty")))

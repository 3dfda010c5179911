"""Claims about names, without a directory."""

import unittest

from mlflow_ldap_names import bind_dn, filled_filter, same, user_name


class UserNames(unittest.TestCase):
    def test_case_is_no_difference(self) -> None:
        self.assertEqual(user_name("Ada"), "ada")

    def test_what_a_directory_reads_as_another_name_is_none(self) -> None:
        others = ["", " ", " ada", "ada ", "a  b", "ada\n", "ada\0", "ad\u00ada", "ada\u200b", "ada\u00a0", "a" * 256]
        self.assertEqual([typed for typed in others if user_name(typed) is not None], [])

    def test_forms_of_one_name_are_one(self) -> None:
        self.assertEqual(user_name("ＡＤＡ"), "ada")
        self.assertEqual(user_name("e\u0301va"), user_name("\u00e9va"))


class Escaping(unittest.TestCase):
    def test_a_name_stays_one_value_of_a_dn(self) -> None:
        self.assertEqual(bind_dn("uid=%s,dc=test", "x,ou=admins+cn=y"), "uid=x\\,ou\\=admins\\+cn\\=y,dc=test")
        self.assertEqual(bind_dn("uid=%s,dc=test", "#1\\"), "uid=\\#1\\\\,dc=test")

    def test_a_value_stays_a_value_of_a_filter(self) -> None:
        self.assertEqual(filled_filter("(|(a=%s)(b=%s))", "*)(c=\\"), "(|(a=\\2a\\29\\28c=\\5c)(b=\\2a\\29\\28c=\\5c))")

    def test_a_name_that_holds_a_placeholder_is_filled_in_once(self) -> None:
        self.assertEqual(filled_filter("(a=%s)", "%s"), "(a=%s)")


class Equality(unittest.TestCase):
    def test_case_spaces_escapes_and_order_are_no_difference(self) -> None:
        for left, right in [
            ("CN=Admins, OU=Groups ,dc=Test", "cn=admins,ou=groups,dc=test"),
            ("cn=a\\2Cb,dc=test", "cn=a\\,b,dc=test"),
            ("cn=a  b,dc=test", "cn=a b,dc=test"),
            ("cn=a+sn=b,dc=test", "sn=b+cn=a,dc=test"),
            ("cn=M\\C3\\BCller,dc=test", "cn=müller,dc=test"),
            ("MLflow-Admins", "mlflow-admins"),
        ]:
            self.assertTrue(same(left, right), f"{left} {right}")

    def test_other_names_are_others(self) -> None:
        for left, right in [
            ("cn=admins,ou=groups,dc=test", "cn=admins,ou=people,dc=test"),
            ("cn=admins,dc=test", "cn=admins"),
            ("cn=a,ou=b,dc=test", "cn=a\\,ou\\=b,dc=test"),
            ("cn=a+sn=b,dc=test", "cn=a,sn=b,dc=test"),
            ("admins", "cn=admins"),
        ]:
            self.assertFalse(same(left, right), f"{left} {right}")

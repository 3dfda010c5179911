"""Tests of names, without a directory."""

import unittest

from mlflow_ldap_names import account_name, bind_dn, filled_filter, normalised, same_values, user_name


class UserNames(unittest.TestCase):
    def test_case_is_ignored(self) -> None:
        self.assertEqual(user_name("Ada"), "ada")

    def test_names_that_a_directory_reads_as_others_are_invalid(self) -> None:
        others = ["", " ", " ada", "ada ", "a  b", "ada\n", "ada\0", "ad\u00ada", "ada\u200b", "ada\u00a0", "a" * 256]
        self.assertEqual([typed for typed in others if user_name(typed) is not None], [])

    def test_unicode_forms_are_normalised(self) -> None:
        self.assertEqual(user_name("ＡＤＡ"), "ada")
        self.assertEqual(user_name("e\u0301va"), user_name("\u00e9va"))


class Accounts(unittest.TestCase):
    DN = "cn=Ada+uid=ada\\,l,ou=people,uid=other,dc=test"

    def test_the_account_is_the_only_value_or_the_one_in_the_dn(self) -> None:
        self.assertEqual(account_name("x", "mail", ["Ada@Example.com"]), "ada@example.com")
        self.assertEqual(account_name(self.DN, "UID", ["a", "b", "ada,l"]), "ada,l")
        for values in [[], ["a", "b"], [" "], ["a\u200bb"]]:
            self.assertIsNone(account_name(self.DN, "mail", values))
        self.assertIsNone(account_name("uid=,=", "uid", ["a", "b"]))

    def test_dns_with_other_values_differ(self) -> None:
        self.assertTrue(same_values("uid=Ada,ou=people", "UserID=ada, OU=People"))
        for other in ["uid=ad\u00e1,ou=people", "uid=ada,ou=others", "uid=ada", "=", ""]:
            self.assertFalse(same_values("uid=ada,ou=people", other))


class Escaping(unittest.TestCase):
    def test_names_are_escaped_in_dns(self) -> None:
        self.assertEqual(bind_dn("uid=%s,dc=test", "x,ou=admins+cn=y"), "uid=x\\,ou\\=admins\\+cn\\=y,dc=test")
        self.assertEqual(bind_dn("uid=%s,dc=test", "#1\\"), "uid=\\#1\\\\,dc=test")

    def test_values_are_escaped_in_filters(self) -> None:
        self.assertEqual(filled_filter("(|(a=%s)(b=%s))", "*)(c=\\"), "(|(a=\\2a\\29\\28c=\\5c)(b=\\2a\\29\\28c=\\5c))")

    def test_a_placeholder_in_a_name_is_not_replaced(self) -> None:
        self.assertEqual(filled_filter("(a=%s)", "%s"), "(a=%s)")


class Equality(unittest.TestCase):
    def test_case_spaces_escapes_and_order_are_ignored(self) -> None:
        for left, right in [
            ("CN=Admins, OU=Groups ,dc=Test", "cn=admins,ou=groups,dc=test"),
            ("cn=a\\2Cb,dc=test", "cn=a\\,b,dc=test"),
            ("cn=a  b,dc=test", "cn=a b,dc=test"),
            ("cn=a+sn=b,dc=test", "sn=b+cn=a,dc=test"),
            ("cn=M\\C3\\BCller,dc=test", "cn=müller,dc=test"),
            ("MLflow-Admins", "mlflow-admins"),
        ]:
            self.assertEqual(normalised(left), normalised(right))

    def test_different_names_differ(self) -> None:
        for left, right in [
            ("cn=admins,ou=groups,dc=test", "cn=admins,ou=people,dc=test"),
            ("cn=admins,dc=test", "cn=admins"),
            ("cn=a,ou=b,dc=test", "cn=a\\,ou\\=b,dc=test"),
            ("cn=a+sn=b,dc=test", "cn=a,sn=b,dc=test"),
            ("admins", "cn=admins"),
        ]:
            self.assertNotEqual(normalised(left), normalised(right))

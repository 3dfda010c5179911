"""Tests of the user that a token identifies. Runs next to python/src, in the Python of MLflow's image."""

import base64
import dataclasses
import hmac
import json
import ssl
import time
import unittest
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from mlflow_operator import token_identity
from mlflow_operator.token_identity import Claims, Expired, Issuer, Key, Keys, Refused, Tokens, keys_in

PEOPLE = "https://id.example.com"
# Shared by all tests: a new one reads the CA certificates of the system.
TLS = ssl.create_default_context()
CLUSTER = "https://kubernetes.default.svc"
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
curve, edwards = ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()
MAKERS = {rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm, ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm}


def jwk(of: object, kid: str | None = None, **more: object) -> dict[str, object]:
    maker = next((made for kind, made in MAKERS.items() if isinstance(of, kind)), jwt.algorithms.OKPAlgorithm)
    return {**maker.to_jwk(of.public_key(), as_dict=True), **({} if kid is None else {"kid": kid}), **more}  # type: ignore[attr-defined]


class Published(Keys):
    """Keys without requests to an issuer; everything else is real."""

    def __init__(self, *keys: dict[str, object]) -> None:
        self.now = 1000.0
        super().__init__("", TLS, lambda: self.now, lambda renew: renew())
        self.published = list(keys)
        self.asked = 0
        self.is_away = False

    def _fetched(self) -> tuple[Key, ...]:
        self.asked += 1
        if self.is_away:
            raise Refused("away")
        return keys_in({"keys": self.published})


RESERVED = ("kubeadm:*", "kubernetes-admin", "cluster-admins")
USUAL = Claims("email", "groups", reserved=RESERVED)


def tokens(claims: Claims = USUAL, *keys: dict[str, object], clock: object = time.time) -> Tokens:
    issuers = [Issuer(PEOPLE, "mlflow"), Issuer(CLUSTER, "mlflow", is_cluster=True)]
    return Tokens({each.issuer: (each, Published(*(keys or [jwk(key, "a")]))) for each in issuers}, claims, clock)  # type: ignore[arg-type]


def payload(**claims: Any) -> dict[str, object]:
    now = int(time.time())
    usual = {"iss": PEOPLE, "aud": "mlflow", "sub": "1", "iat": now, "exp": now + 60, "email": "ada@example.com"}
    usual |= {"email_verified": True, "groups": ["ml"]}
    return {name: value for name, value in {**usual, **claims}.items() if value is not None}


def signed(by: Any = key, algorithm: str = "RS256", kid: str | None = "a", **claims: Any) -> str:
    return jwt.encode(payload(**claims), by, algorithm=algorithm, headers={} if kid is None else {"kid": kid})


class Named(unittest.TestCase):
    def named(self, token: str, **settings: str) -> tuple[str, tuple[str, ...]]:
        found = tokens(dataclasses.replace(USUAL, **settings)).identity(token)  # type: ignore[arg-type]
        return found.user, found.groups

    def test_user_and_groups_stand_in_the_claims(self) -> None:
        self.assertEqual(self.named(signed()), ("ada@example.com", ("ml",)))
        self.assertEqual(self.named(signed(), user="sub"), ("1", ("ml",)))
        self.assertEqual(self.named(signed(groups="ml")), ("ada@example.com", ("ml",)))
        self.assertEqual(self.named(signed(groups=None)), ("ada@example.com", ()))
        self.assertEqual(self.named(signed(roles=["x"]), groups="roles"), ("ada@example.com", ("x",)))

    def test_no_separator_makes_two_groups_of_one(self) -> None:
        for group in ["evil,system:masters", "evil|system:masters", "a;b", "a b"]:
            self.assertEqual(self.named(signed(groups=[group]))[1], (group,))

    def test_a_service_account_is_in_the_groups_that_the_api_server_gives_it(self) -> None:
        token = signed(iss=CLUSTER, sub="system:serviceaccount:team:trainer", groups=["system:masters"])
        groups = ("system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated")
        self.assertEqual(self.named(token), ("system:serviceaccount:team:trainer", groups))

    def test_other_algorithms_of_the_same_key_count(self) -> None:
        for algorithm in ["RS512", "PS256"]:
            self.assertEqual(self.named(signed(algorithm=algorithm))[0], "ada@example.com")

    def test_a_token_without_kid_is_tried_with_all_keys_that_fit(self) -> None:
        published: list[dict[str, object]] = [
            jwk(curve, "c"),
            {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
            {"kty": "RSA", "n": "AA", "kid": "broken"},
            {"kty": "unheard of"},
            jwk(edwards, "e"),
            jwk(other_key, "s"),
            jwk(key, "a"),
            jwk(ec.generate_private_key(ec.SECP256R1())),
        ]
        for order in (published, published[::-1]):
            for by, algorithm in [(key, "RS256"), (key, "PS512"), (curve, "ES384"), (edwards, "EdDSA")]:
                with self.subTest(algorithm=algorithm):
                    token = signed(by, algorithm, kid=None)
                    self.assertEqual(tokens(USUAL, *order).identity(token).user, "ada@example.com")

    def test_a_new_key_is_found_without_a_kid_as_well(self) -> None:
        keys = Published(jwk(other_key))
        known = Tokens({PEOPLE: (Issuer(PEOPLE, "mlflow"), keys)}, USUAL)
        self.assertEqual(known.identity(signed(other_key, kid=None)).user, "ada@example.com")
        keys.published = [jwk(key)]
        keys.now += token_identity.ASK_AGAIN_SECONDS
        self.assertEqual(known.identity(signed(kid=None)).user, "ada@example.com")

    def test_dots_lead_into_objects_where_no_claim_has_the_literal_name(self) -> None:
        nested: dict[str, Any] = {"realm_access": {"roles": ["x"]}, "resource_access": {"my.app": {"roles": ["y"]}}}
        self.assertEqual(self.named(signed(**nested), groups="realm_access.roles")[1], ("x",))
        self.assertEqual(self.named(signed(**nested), groups="resource_access.my.app.roles")[1], ("y",))
        literal = {**nested, "realm_access.roles": ["z"]}
        self.assertEqual(self.named(signed(**literal), groups="realm_access.roles")[1], ("z",))
        self.assertEqual(self.named(signed(person={"name": "ada"}), user="person.name")[0], "ada")
        for absent in ["realm_access.other", "groups.x", "realm_access.roles.x", ".", "..", "realm_access."]:
            self.assertEqual(self.named(signed(**nested), groups=absent)[1], (), absent)

    def test_prefixes_come_before_the_names_of_people_and_not_of_service_accounts(self) -> None:
        prefixes = {"user_prefix": "oidc:", "groups_prefix": "idp#"}
        named = self.named(signed(email="kubernetes-admin", groups=["cluster-admins", "system:masters"]), **prefixes)
        self.assertEqual(named, ("oidc:kubernetes-admin", ("idp#cluster-admins", "idp#system:masters")))
        token = signed(iss=CLUSTER, sub="system:serviceaccount:team:trainer")
        self.assertEqual(self.named(token, **prefixes)[0], "system:serviceaccount:team:trainer")


class RejectedTokens(unittest.TestCase):
    def refused(self, token: str) -> str:
        with self.assertRaises(Refused) as caught:
            tokens().identity(token)
        self.assertLess(len(str(caught.exception)), 160, "it may quote the token")
        return str(caught.exception)

    def test_names_of_the_cluster_are_not_the_providers_to_give(self) -> None:
        cases: list[dict[str, Any]] = [
            {"email": "system:admin"},
            {"email": "system:serviceaccount:team:trainer"},
            {"groups": ["system:masters"]},
            {"groups": ["ml", "system:authenticated"]},
            {"groups": "system:masters"},
            {"groups": ["System:Masters"]},
            {"email": "kubernetes-admin"},
            {"email": "Kubernetes-Admin"},
            {"email": "kubeadm:cluster-admins"},
            {"groups": ["kubeadm:cluster-admins"]},
            {"groups": ["ml", "cluster-admins"]},
        ]
        for claims in cases:
            self.assertIn("reserved", self.refused(signed(**claims)))

    def test_what_is_reserved_can_be_set_but_for_the_names_of_kubernetes(self) -> None:
        own = tokens(Claims("email", "groups", reserved=("root",)))
        self.assertEqual(own.identity(signed(email="kubernetes-admin")).user, "kubernetes-admin")
        for user in ["root", "system:admin"]:
            with self.assertRaises(Refused):
                own.identity(signed(email=user))

    def test_names_are_the_same_for_everybody_who_reads_them(self) -> None:
        for odd in [
            " system:masters",
            "system:masters ",
            "\u00a0system:masters",
            "a\n",
            "a\0b",
            "a\u0085b",
            "a\u200bb",
            "a\u2028b",
            "",
            None,
            1,
            ["a"],
            {"a": 1},
        ]:
            self.refused(signed(groups=[odd]))
            self.refused(signed(email=odd))
        self.refused(signed(groups={"system:masters": 1}))

    def test_an_address_that_is_not_verified_names_nobody(self) -> None:
        for value in [False, "false", "true", 0, 1, None]:
            self.refused(signed(email_verified=value))
        self.assertEqual(tokens(Claims("sub", "groups")).identity(signed(email_verified=None)).user, "1")

    def test_a_subject_of_the_cluster_that_is_no_service_account(self) -> None:
        for subject in [
            "system:admin",
            "alice",
            "system:serviceaccount:team",
            "system:serviceaccount::a",
            "system:serviceaccount:a:b:c",
        ]:
            self.refused(signed(iss=CLUSTER, sub=subject))

    def test_tokens_of_others(self) -> None:
        self.refused(signed(iss="https://evil.example.com"))
        self.refused(signed(iss=f"{PEOPLE}/"))
        self.refused(signed(iss=None))
        self.refused(signed(aud="other"))
        self.refused(signed(aud=None))
        self.refused(signed(other_key))
        self.refused(signed(kid="b"))

    def test_what_nobody_has_signed_or_everybody_could(self) -> None:
        self.refused(jwt.encode(payload(), "", algorithm="none"))
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        # The library refuses to sign like this: with the public key as a shared secret.
        parts = [
            base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
            for part in ({"alg": "HS256", "kid": "a"}, payload())
        ]
        mac = base64.urlsafe_b64encode(hmac.digest(public, b".".join(parts), "sha256")).rstrip(b"=")
        self.refused(b".".join([*parts, mac]).decode())
        self.refused(
            jwt.encode(payload(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "a"})
        )
        head, body, signature = signed().split(".")
        for token in [
            "",
            "x",
            "a.b.c",
            f"{head}.{body}.",
            f"{head}.{body}",
            f"{head}.{body}.{signature[:-4]}AAAA",
            f" {signed()}x",
        ]:
            self.refused(token)
        deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()
        self.refused(f"{head}.{deep}.{signature}")

    def test_it_ends_when_it_says(self) -> None:
        now = int(time.time())
        account = {"iss": CLUSTER, "sub": "system:serviceaccount:team:trainer"}
        for claims in [{}, account]:
            at = [0.0]
            ending = tokens(clock=lambda at=at: now + at[0])
            token = signed(**claims, iat=now - 100, exp=now)
            at[0] = -0.5
            self.assertTrue(ending.identity(token).user)
            for late in [0, 0.5, 5, 1700]:
                at[0] = late
                with self.assertRaises(Expired):
                    ending.identity(token)
        self.refused(signed(iat=now - 2000, exp=float("nan")))
        self.refused(signed(exp=True))
        self.refused(signed(iat=now + 600, exp=now + 1200))
        self.refused(signed(exp=None))
        self.refused(signed(iat=None))
        self.refused(signed(iat=float("inf")))

    def test_a_key_signs_by_its_own_algorithm_only(self) -> None:
        published = [jwk(key, "a", alg="RS256")]
        self.assertTrue(tokens(USUAL, *published).identity(signed()).user)
        for algorithm in ["RS512", "PS256"]:
            with self.assertRaises(Refused):
                tokens(USUAL, *published).identity(signed(algorithm=algorithm))


class KeysOfAnIssuer(unittest.TestCase):
    def kids(self, found: list[Key]) -> list[str | None]:
        return [each.kid for each in found]

    def test_a_new_key_is_fetched_and_unknown_keys_do_not_cause_many_requests(self) -> None:
        keys = Published(jwk(key, "a"))
        self.assertEqual(self.kids(keys.named("a")), ["a"])
        keys.published = [jwk(other_key, "b")]
        for _ in range(5):
            self.assertEqual(keys.named("b"), [])
            self.assertEqual(self.kids(keys.renewed(None)), ["a"])
        self.assertEqual(keys.asked, 1)
        keys.now += token_identity.ASK_AGAIN_SECONDS
        self.assertEqual(self.kids(keys.named("b")), ["b"])
        self.assertEqual((keys.named("a"), keys.asked), ([], 2))

    def test_a_key_that_is_withdrawn_does_not_count_for_long_unless_the_issuer_is_away(self) -> None:
        keys = Published(jwk(key, "a"))
        keys.named("a")
        keys.is_away = True
        keys.now += token_identity.RENEW_SECONDS
        with self.assertLogs("mlflow.identity"):
            self.assertEqual(self.kids(keys.named("a")), ["a"])
        self.assertEqual(self.kids(keys.named("a")), ["a"])
        keys.is_away, keys.published = False, [jwk(other_key, "b")]
        keys.now += token_identity.RENEW_SECONDS
        keys.named("a")
        self.assertEqual((keys.named("a"), self.kids(keys.named("b"))), ([], ["b"]))

    def test_while_an_issuer_does_not_answer_known_keys_count_at_once(self) -> None:
        keys = Published(jwk(key, "a"))
        keys.named("a")
        keys.now += token_identity.RENEW_SECONDS
        with keys._asking:
            self.assertEqual(self.kids(keys.named("a")), ["a"])
            began = time.monotonic()
            self.assertEqual(keys.named("b"), [])
            self.assertLess(time.monotonic() - began, token_identity.WAIT_SECONDS + 5)

    def test_a_key_for_encryption_signs_nothing(self) -> None:
        self.assertEqual(Published(jwk(key, "a", use="enc")).named("a"), [])

    def test_what_is_no_key_set_is_none(self) -> None:
        cases: list[dict[str, Any]] = [{}, {"keys": None}, {"keys": {}}, {"keys": [1, None, [], {}]}]
        for published in cases:
            self.assertEqual(keys_in(published), ())

    def test_keys_are_not_fetched_in_the_clear(self) -> None:
        with self.assertRaises(Refused):
            Keys("http://id.example.com", None).named("a")  # type: ignore[arg-type]


class Cached(unittest.TestCase):
    """A verified token is not verified again, and nothing else is cached."""

    def setUp(self) -> None:
        self.now = float(int(time.time()))
        self.keys = Published(jwk(key, "a"))
        self.tokens = self.tokens_for("mlflow")

    def tokens_for(self, audience: str, size: int = 8, keys: Published | None = None) -> Tokens:
        return Tokens({PEOPLE: (Issuer(PEOPLE, audience), keys or self.keys)}, USUAL, lambda: self.now, size)

    def test_a_token_is_cached_after_it_was_verified(self) -> None:
        token = signed()
        self.assertIsNone(self.tokens.cached(token))
        found = self.tokens.identity(token)
        self.assertIs(self.tokens.cached(token), found)

    def test_the_token_itself_is_not_kept(self) -> None:
        token = signed()
        self.tokens.identity(token)
        self.assertNotIn(token, repr(self.tokens._cached))
        self.assertEqual([len(digest) for digest in self.tokens._cached], [32])

    def test_it_ends_when_the_token_ends(self) -> None:
        token = signed(exp=int(self.now) + 60)
        self.tokens.identity(token)
        self.now += 59.5
        self.assertIsNotNone(self.tokens.cached(token))
        self.now += 0.5
        self.assertIsNone(self.tokens.cached(token))
        with self.assertRaises(Expired):
            self.tokens.identity(token)

    def test_it_ends_when_the_keys_of_the_issuer_are_due(self) -> None:
        token = signed()
        self.tokens.identity(token)
        self.keys.now += token_identity.RENEW_SECONDS
        self.assertIsNone(self.tokens.cached(token))

    def test_it_ends_when_the_keys_are_fetched_again(self) -> None:
        token = signed()
        self.tokens.identity(token)
        self.keys.published = [jwk(other_key, "b")]
        self.keys.now += token_identity.ASK_AGAIN_SECONDS
        # A token of the new key makes the server fetch the keys; the previous one is withdrawn.
        self.tokens.identity(signed(by=other_key, kid="b"))
        self.assertIsNone(self.tokens.cached(token))
        with self.assertRaises(Refused):
            self.tokens.identity(token)

    def test_a_rejected_token_is_not_cached(self) -> None:
        rejected = [
            signed(aud="other"),
            signed(iss="https://other.example.com"),
            signed(by=other_key),
            signed(exp=int(self.now) - 1),
            signed(email="system:admin"),
            signed(email_verified=False),
            "no token",
            "\ud800",
        ]
        for token in rejected:
            for _ in range(2):
                with self.assertRaises(Refused):
                    self.tokens.identity(token)
                self.assertIsNone(self.tokens.cached(token))
        self.assertEqual(len(self.tokens._cached), 0)

    def test_a_token_with_other_bytes_is_another_token(self) -> None:
        token = signed()
        self.tokens.identity(token)
        head, body, signature = token.split(".")
        for other in [
            f"{head}.{body}.{signature}=",
            f"{token} ",
            f"{head}.{body}.",
            token[:-1],
            signed(groups=["other"]),
        ]:
            self.assertIsNone(self.tokens.cached(other))

    def test_each_audience_and_issuer_has_entries_of_its_own(self) -> None:
        token = signed()
        self.tokens.identity(token)
        other = self.tokens_for("other")
        self.assertIsNone(other.cached(token))
        with self.assertRaises(Refused):
            other.identity(token)
        self.assertIsNone(other.cached(token))

    def test_the_memory_is_bounded_and_keeps_what_is_used(self) -> None:
        used = signed(sub="used")
        self.tokens.identity(used)
        for number in range(50):
            self.tokens.identity(signed(sub=str(number)))
            self.assertIsNotNone(self.tokens.cached(used))
        self.assertEqual(len(self.tokens._cached), 8)


if __name__ == "__main__":
    unittest.main(verbosity=2)

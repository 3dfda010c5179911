"""Claims about whom a token names. Runs beside src/resources/middleware, in the Python of MLflow's image."""

import base64
import hmac
import json
import time
import unittest

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mlflow_operator import token_identity
from mlflow_operator.token_identity import Claims, Issuer, Keys, Refused, Tokens

PEOPLE = "https://id.example.com"
CLUSTER = "https://kubernetes.default.svc"
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(of: rsa.RSAPrivateKey, kid: str, **more: str) -> dict[str, object]:
    return {**jwt.algorithms.RSAAlgorithm.to_jwk(of.public_key(), as_dict=True), "kid": kid, **more}


class Published(Keys):
    """Keys that are had without an issuer: all else is as it is."""

    def __init__(self, *keys: dict[str, object]) -> None:
        self.now = 1000.0
        super().__init__("", None, lambda: self.now)  # type: ignore[arg-type]
        self.published = list(keys)
        self.asked = 0

    def _fetched(self) -> tuple[jwt.PyJWK, ...]:
        self.asked += 1
        return tuple(jwt.PyJWKSet.from_dict({"keys": self.published}).keys)


def tokens(claims: Claims = Claims("email", "groups", 1800)) -> Tokens:
    issuers = [Issuer(PEOPLE, "mlflow"), Issuer(CLUSTER, "mlflow", is_cluster=True)]
    return Tokens({each.issuer: (each, Published(jwk(key, "a"))) for each in issuers}, claims)


def payload(**claims: object) -> dict[str, object]:
    now = int(time.time())
    usual = {"iss": PEOPLE, "aud": "mlflow", "sub": "1", "iat": now, "exp": now + 60, "email": "ada@example.com", "groups": ["ml"]}
    return {name: value for name, value in {**usual, **claims}.items() if value is not None}


def signed(by: rsa.RSAPrivateKey = key, algorithm: str = "RS256", kid: str | None = "a", **claims: object) -> str:
    return jwt.encode(payload(**claims), by, algorithm=algorithm, headers={} if kid is None else {"kid": kid})


class Named(unittest.TestCase):
    def named(self, token: str, **settings: str) -> tuple[str, tuple[str, ...]]:
        found = tokens(Claims(**{"user": "email", "groups": "groups", "session": 1800, **settings})).identity(token)  # type: ignore[arg-type]
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

    def test_a_token_without_kid_is_tried_with_all_keys(self) -> None:
        self.assertEqual(self.named(signed(kid=None))[0], "ada@example.com")


class Nobody(unittest.TestCase):
    def refused(self, token: str) -> str:
        with self.assertRaises(Refused) as caught:
            tokens().identity(token)
        self.assertLess(len(str(caught.exception)), 120, "it may quote the token")
        return str(caught.exception)

    def test_names_of_the_cluster_are_not_the_providers_to_give(self) -> None:
        for claims in [
            {"email": "system:admin"},
            {"email": "system:serviceaccount:team:trainer"},
            {"groups": ["system:masters"]},
            {"groups": ["ml", "system:authenticated"]},
            {"groups": "system:masters"},
        ]:
            self.assertIn("cluster's own", self.refused(signed(**claims)))

    def test_names_are_the_same_for_everybody_who_reads_them(self) -> None:
        for odd in [" system:masters", "system:masters ", "\u00a0system:masters", "a\n", "a\0b", "a\u0085b", "", None, 1, ["a"], {"a": 1}]:
            self.refused(signed(groups=[odd]))
            self.refused(signed(email=odd))
        self.refused(signed(groups={"system:masters": 1}))

    def test_an_address_that_is_not_verified_names_nobody(self) -> None:
        for value in [False, "false", "true", 0]:
            self.refused(signed(email_verified=value))

    def test_a_subject_of_the_cluster_that_is_no_service_account(self) -> None:
        for subject in ["system:admin", "alice", "system:serviceaccount:team", "system:serviceaccount::a", "system:serviceaccount:a:b:c"]:
            self.refused(signed(iss=CLUSTER, sub=subject))

    def test_tokens_of_others(self) -> None:
        self.refused(signed(iss="https://evil.example.com"))
        self.refused(signed(iss=f"{PEOPLE}/"))
        self.refused(signed(iss=None))
        self.refused(signed(aud="other"))
        self.refused(signed(aud=None))
        self.refused(signed(stranger))
        self.refused(signed(kid="b"))

    def test_what_nobody_has_signed_or_everybody_could(self) -> None:
        self.refused(jwt.encode(payload(), None, algorithm="none"))
        public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        # The library would not sign so: by the public key, which everybody has.
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256", "kid": "a"}, payload())]
        mac = base64.urlsafe_b64encode(hmac.digest(public, b".".join(parts), "sha256")).rstrip(b"=")
        self.refused(b".".join([*parts, mac]).decode())
        self.refused(jwt.encode(payload(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers={"kid": "a"}))
        head, body, signature = signed().split(".")
        for token in ["", "x", "a.b.c", f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.{signature[:-4]}AAAA", f" {signed()}x"]:
            self.refused(token)
        deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()
        self.refused(f"{head}.{deep}.{signature}")

    def test_it_ends_with_the_session_of_the_proxy_at_the_latest(self) -> None:
        now = int(time.time())
        self.assertEqual(tokens().identity(signed(iat=now - 1700, exp=now - 1400)).user, "ada@example.com")
        self.refused(signed(iat=now - 2000, exp=now - 1400))
        self.refused(signed(iat=now - 2000, exp=float("nan")))
        self.refused(signed(iat=now + 600, exp=now + 1200))
        self.refused(signed(exp=None))
        self.refused(signed(iat=None))
        self.refused(signed(iat=float("inf")))
        account = {"iss": CLUSTER, "sub": "system:serviceaccount:team:trainer"}
        self.refused(signed(**account, iat=now - 1700, exp=now - 1400))


class KeysOfAnIssuer(unittest.TestCase):
    def test_a_new_key_is_looked_for_and_strangers_do_not_make_it_a_flood(self) -> None:
        keys = Published(jwk(key, "a"))
        self.assertEqual([each.key_id for each in keys.named("a")], ["a"])
        keys.published = [jwk(stranger, "b")]
        for _ in range(5):
            self.assertEqual(keys.named("b"), [])
        self.assertEqual(keys.asked, 1)
        keys.now += token_identity.ASK_AGAIN_SECONDS
        self.assertEqual([each.key_id for each in keys.named("b")], ["b"])
        self.assertEqual((keys.named("a"), keys.asked), ([], 2))

    def test_a_key_for_encryption_signs_nothing(self) -> None:
        self.assertEqual(Published(jwk(key, "a", use="enc")).named("a"), [])

    def test_keys_are_not_fetched_in_the_clear(self) -> None:
        with self.assertRaises(Refused):
            Keys("http://id.example.com", None).named("a")  # type: ignore[arg-type]


if __name__ == "__main__":
    unittest.main(verbosity=2)

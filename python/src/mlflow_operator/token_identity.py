"""The identity in a token: verifies signature, issuer, audience and time, and uses only the claims."""

from __future__ import annotations

import hashlib
import json
import logging
import ssl
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from .claims import claim

logger = logging.getLogger("mlflow.identity")

#: Algorithms of signatures: no shared secrets, and not `none`.
CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES, "EdDSA"]

#: Exceptions for text that is not a token, and for claims of wrong types.
MALFORMED = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)

#: How far an issuer's clock can be ahead, in seconds. The end of a token has no leeway.
SKEW = 60
TIMEOUT_SECONDS = 10
ANSWER_BYTES = 1_000_000

#: The minimum interval between requests to an issuer because of unknown keys.
ASK_AGAIN_SECONDS = 10

#: After this time known keys are fetched again, so that a key that the issuer has withdrawn becomes invalid.
RENEW_SECONDS = 600

#: The maximum time that a token with an unknown key waits while the issuer's keys are fetched.
WAIT_SECONDS = 1

#: How many verified tokens are cached.
CACHE_SIZE = 4096

#: Control and format characters, surrogates, and separators of lines and paragraphs.
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")

SERVICE_ACCOUNT = "system:serviceaccount:"

#: Names with this prefix are always reserved for Kubernetes.
SYSTEM = "system:*"


class Refused(Exception):
    """The reason why a token is rejected. Never contains the token."""


class Expired(Refused):
    """The token was valid and has expired."""


@dataclass(frozen=True)
class Identity:
    user: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Issuer:
    """An issuer whose tokens are accepted, and their audience."""

    issuer: str
    audience: str
    #: Whether it is the API server's own, whose tokens name ServiceAccounts.
    is_cluster: bool = False


@dataclass(frozen=True)
class Claims:
    """The claims with user and groups, the prefixes of the names, and the reserved names."""

    user: str
    groups: str
    user_prefix: str = ""
    groups_prefix: str = ""
    #: Names, or beginnings of names with a `*` behind.
    reserved: tuple[str, ...] = ()


@dataclass(frozen=True)
class Key:
    """A public key of an issuer, with its metadata."""

    kid: str | None
    algorithm: str | None
    public: Any

    def fits(self, algorithm: str) -> bool:
        """Returns whether the key can sign with this algorithm."""
        if self.algorithm not in (None, algorithm):
            return False
        if algorithm in CURVES:
            return isinstance(self.public, ec.EllipticCurvePublicKey) and self.public.curve.name == CURVES[algorithm]
        if algorithm == "EdDSA":
            return isinstance(self.public, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey))
        return algorithm in ALGORITHMS and isinstance(self.public, rsa.RSAPublicKey)


def keys_in(published: Mapping[str, object]) -> tuple[Key, ...]:
    """Returns the signature keys of a JSON Web Key Set. Keys of unknown types are ignored."""
    entries = published.get("keys")
    found: list[Key] = []
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        try:
            found.append(Key(entry.get("kid"), entry.get("alg"), jwt.PyJWK.from_dict(entry).key))
        except MALFORMED:
            continue
    return tuple(found)


def in_background(renew: Callable[[], None]) -> None:
    threading.Thread(target=renew, daemon=True).start()


class Keys:
    """The public keys of an issuer, fetched when a token has an unknown key. While the issuer is unavailable, known keys are used."""

    def __init__(
        self,
        issuer: str,
        context: ssl.SSLContext,
        clock: Callable[[], float] = time.monotonic,
        background: Callable[[Callable[[], None]], None] = in_background,
    ) -> None:
        self._issuer = issuer
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
        self._clock = clock
        self._background = background
        #: Held while the keys are fetched.
        self._asking = threading.Lock()
        self._known: tuple[Key, ...] = ()
        self._asked = -float(ASK_AGAIN_SECONDS)

    def named(self, kid: object) -> list[Key]:
        """Returns the keys that can have signed a token with this `kid`: all keys if it has none."""
        found = self._matching(kid)
        if not found:
            return self.renewed(kid)
        if self._clock() - self._asked >= RENEW_SECONDS and not self._asking.locked():
            self._background(self._renew_quietly)
        return found

    def current(self) -> tuple[Key, ...] | None:
        """Returns the known keys, the same object until they are fetched again. None: they must be fetched."""
        return self._known if self._known and self._clock() - self._asked < RENEW_SECONDS else None

    def renewed(self, kid: object) -> list[Key]:
        """The same after fetching the keys, unless they were fetched recently."""
        before = self._asked
        if not self._asking.acquire(timeout=WAIT_SECONDS if self._known else 2 * TIMEOUT_SECONDS):
            return []
        try:
            if self._asked == before and self._clock() - before >= ASK_AGAIN_SECONDS:
                self._asked = self._clock()
                self._known = self._fetched()
        finally:
            self._asking.release()
        return self._matching(kid)

    def _renew_quietly(self) -> None:
        try:
            self.renewed(None)
        except Refused as refusal:
            logger.warning("Using the known keys: %s", refusal)

    def _matching(self, kid: object) -> list[Key]:
        return [key for key in self._known if kid is None or key.kid == kid]

    def _fetched(self) -> tuple[Key, ...]:
        try:
            described = self._json(f"{self._issuer.removesuffix('/')}/.well-known/openid-configuration")
            if described.get("issuer") != self._issuer:
                raise Refused(f"the issuer {self._issuer} has another name in its discovery document")
            return keys_in(self._json(str(described.get("jwks_uri"))))
        except (OSError, ValueError) as error:
            raise Refused(f"the keys of the issuer {self._issuer} cannot be fetched: {type(error).__name__}") from None

    def _json(self, url: str) -> dict[str, object]:
        if not url.startswith("https://"):
            raise ValueError("not https")
        with self._opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
            found = json.loads(answer.read(ANSWER_BYTES))
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return found


@dataclass(frozen=True)
class Verified:
    """A token that was verified, with what it depends on."""

    identity: Identity
    #: When the token ends, in seconds since 1970.
    ends: float
    keys: Keys
    #: The known keys of the issuer, of which one has signed it.
    known: tuple[Key, ...]


class Tokens:
    """Returns the identity in a token, and raises Refused for a token that is not valid."""

    def __init__(
        self,
        issuers: Mapping[str, tuple[Issuer, Keys]],
        claims: Claims,
        clock: Callable[[], float] = time.time,
        size: int = CACHE_SIZE,
    ) -> None:
        self._issuers = issuers
        self._claims = claims
        self._clock = clock
        self._size = size
        self._lock = threading.Lock()
        self._cached: OrderedDict[bytes, Verified] = OrderedDict()

    def cached(self, token: str) -> Identity | None:
        """The identity in a token that was verified before, until it ends or the keys of its issuer are fetched again. Never waits."""
        digest = digest_of(token)
        with self._lock:
            found = self._cached.get(digest)
            if found is None:
                return None
            if self._clock() < found.ends and found.keys.current() is found.known:
                self._cached.move_to_end(digest)
                return found.identity
            del self._cached[digest]
            return None

    def identity(self, token: str) -> Identity:
        issuer, payload, key = self._verified(token)
        found = service_account(payload) if issuer.is_cluster else person(payload, self._claims)
        keys = self._issuers[issuer.issuer][1]
        known = keys.current()
        if known is not None and key in known:
            self._cache(digest_of(token), Verified(found, float(str(payload["exp"])), keys, known))
        return found

    def _cache(self, digest: bytes, verified: Verified) -> None:
        with self._lock:
            self._cached[digest] = verified
            self._cached.move_to_end(digest)
            while len(self._cached) > self._size:
                self._cached.popitem(last=False)

    def _verified(self, token: str) -> tuple[Issuer, dict[str, object], Key]:
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except MALFORMED:
            raise Refused("it is not a JSON Web Token") from None
        known = self._issuers.get(claimed) if isinstance(claimed, str) else None
        if known is None:
            raise Refused("it is of another issuer")
        issuer, keys = known
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in ALGORITHMS:
            raise Refused("its signature algorithm is not accepted")
        tried: list[Key] = []
        # Known keys first, then the issuer's current keys: a token without `kid` does not show that its key is new.
        for known_keys in (keys.named, keys.renewed):
            for key in known_keys(kid):
                if key in tried or not key.fits(algorithm):
                    continue
                tried.append(key)
                payload = payload_by(key, token, algorithm, issuer)
                if payload is not None:
                    self._within_its_time(payload)
                    return issuer, payload, key
        raise Refused("none of its issuer's keys has signed it")

    def _within_its_time(self, payload: Mapping[str, object]) -> None:
        ends = payload["exp"]
        if isinstance(ends, bool) or not isinstance(ends, (int, float)):
            raise Refused("its exp is not a number")
        if not self._clock() < ends:
            raise Expired("it has expired")


def digest_of(token: str) -> bytes:
    """The key under which a token is cached. The token itself is not kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def payload_by(key: Key, token: str, algorithm: str, issuer: Issuer) -> dict[str, object] | None:
    """Returns the claims of a token; None if another key has signed it."""
    try:
        found: dict[str, object] = jwt.decode(
            token,
            key=key.public,
            algorithms=[algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=SKEW,
            # The end is checked separately, without leeway.
            options={"require": ["exp", "iat", "iss", "aud", "sub"], "verify_exp": False},
        )
        return found
    except jwt.InvalidSignatureError:
        return None
    except MALFORMED as error:
        raise Refused(f"it is invalid ({type(error).__name__})") from None


def service_account(payload: Mapping[str, object]) -> Identity:
    """Returns a ServiceAccount with the three groups that the API server gives it. Other claims are ignored."""
    user = name(payload.get("sub"))
    parts = user.removeprefix(SERVICE_ACCOUNT).split(":")
    if not user.startswith(SERVICE_ACCOUNT) or len(parts) != 2 or not all(parts):
        raise Refused("it is from the cluster, but not of a ServiceAccount")
    return Identity(user, ("system:serviceaccounts", f"system:serviceaccounts:{parts[0]}", "system:authenticated"))


def person(payload: Mapping[str, object], claims: Claims) -> Identity:
    """Returns a user of an identity provider. Raises Refused for reserved names."""
    if claims.user == "email" and payload.get("email_verified") is not True:
        raise Refused("its e-mail address is not verified (email_verified is not true)")
    user = claims.user_prefix + name(claim(payload, claims.user))
    said = claim(payload, claims.groups)
    if said is None:
        said = []
    if isinstance(said, str):
        said = [said]
    if not isinstance(said, list):
        raise Refused(f"its claim {claims.groups} is not a list")
    groups = tuple(claims.groups_prefix + name(group) for group in said)
    if reserved := next((each for each in (user, *groups) if is_reserved(each, claims.reserved)), None):
        raise Refused(
            f"the name {reserved!r} is reserved (authentication.oauth2Proxy.authorization.kubernetes.reservedNames)"
        )
    return Identity(user, groups)


def is_reserved(name: str, reserved: tuple[str, ...]) -> bool:
    """Returns whether a name is reserved; a `*` at the end of an entry matches every name with that prefix. Case is ignored."""
    folded = name.casefold()
    return any(
        folded.startswith(each[:-1].casefold()) if each.endswith("*") else folded == each.casefold()
        for each in (SYSTEM, *reserved)
    )


def name(value: object) -> str:
    """Returns a name without surrounding spaces and invisible characters. Raises Refused for other names."""
    if not isinstance(value, str) or value == "" or value != value.strip():
        raise Refused("a name in it is missing, or has spaces around it")
    if any(unicodedata.category(character) in UNSEEN for character in value):
        raise Refused("a name in it has control characters")
    return value

"""Who a token names: its signature, issuer, audience and time are checked, and nothing but its claims is believed."""

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
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

from .claims import claim

logger = logging.getLogger("mlflow.identity")

#: What issuers sign with: never a shared secret, never nothing.
CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES, "EdDSA"]

#: What comes of a token that is none, or of claims of other types than they should be.
MALFORMED = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)

#: How far an issuer's clock may be ahead, in seconds. When a token ends is exact.
SKEW = 60
TIMEOUT_SECONDS = 10
ANSWER_BYTES = 1_000_000

#: No more often than this an issuer is asked for a key that it may not have.
ASK_AGAIN_SECONDS = 10

#: After this time known keys are fetched again, so that a key that the issuer has withdrawn does not count until the pod ends.
RENEW_SECONDS = 600

#: While an issuer is asked, a token of a key that is not known waits no longer than this.
WAIT_SECONDS = 1

#: How many verified tokens are remembered.
REMEMBERED = 4096

#: Control and format characters, surrogates, and what ends lines or paragraphs.
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")

SERVICE_ACCOUNT = "system:serviceaccount:"

#: Names with this prefix are Kubernetes' own, whatever else is reserved.
SYSTEM = "system:*"


class Refused(Exception):
    """Why a token names nobody. Never quotes the token."""


class Expired(Refused):
    """A token that was good once."""


@dataclass(frozen=True)
class Identity:
    user: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Issuer:
    """Whose tokens count, and for whom they must be."""

    issuer: str
    audience: str
    #: Whether it is the API server's own, whose tokens name ServiceAccounts.
    is_cluster: bool = False


@dataclass(frozen=True)
class Claims:
    """Which claims name people, what is put before the names, and which names people cannot have."""

    user: str
    groups: str
    user_prefix: str = ""
    groups_prefix: str = ""
    #: Names, or beginnings of names with a `*` behind.
    reserved: tuple[str, ...] = ()


@dataclass(frozen=True)
class Key:
    """A public key of an issuer, with what the issuer says of it."""

    kid: str | None
    algorithm: str | None
    public: object

    def fits(self, algorithm: str) -> bool:
        """Whether a signature by this algorithm can be by this key."""
        if self.algorithm not in (None, algorithm):
            return False
        if algorithm in CURVES:
            return isinstance(self.public, ec.EllipticCurvePublicKey) and self.public.curve.name == CURVES[algorithm]
        if algorithm == "EdDSA":
            return isinstance(self.public, (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey))
        return algorithm in ALGORITHMS and isinstance(self.public, rsa.RSAPublicKey)


def keys_in(published: Mapping[str, object]) -> tuple[Key, ...]:
    """The keys of a JSON Web Key Set that are for signatures. What is not understood is left out."""
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
    """The public keys of an issuer, fetched when a token names one that is not known. While the issuer is away, what is known counts."""

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
        #: Held by the one who asks the issuer.
        self._asking = threading.Lock()
        self._known: tuple[Key, ...] = ()
        self._asked = -float(ASK_AGAIN_SECONDS)

    def named(self, kid: object) -> list[Key]:
        """The keys by which a token with this `kid` may be signed: all, where it has none."""
        found = self._matching(kid)
        if not found:
            return self.renewed(kid)
        if self._clock() - self._asked >= RENEW_SECONDS and not self._asking.locked():
            self._background(self._renew_quietly)
        return found

    def current(self) -> tuple[Key, ...] | None:
        """The known keys, as one object until they are fetched again. None: they must be fetched, or it is time to do it again."""
        return self._known if self._known and self._clock() - self._asked < RENEW_SECONDS else None

    def renewed(self, kid: object) -> list[Key]:
        """The same, after the issuer has been asked for its keys, unless that was a moment ago."""
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
            logger.warning("Known keys count on: %s", refusal)

    def _matching(self, kid: object) -> list[Key]:
        return [key for key in self._known if kid is None or key.kid == kid]

    def _fetched(self) -> tuple[Key, ...]:
        try:
            described = self._json(f"{self._issuer.removesuffix('/')}/.well-known/openid-configuration")
            if described.get("issuer") != self._issuer:
                raise Refused(f"the issuer {self._issuer} calls itself by another name")
            return keys_in(self._json(str(described.get("jwks_uri"))))
        except (OSError, ValueError) as error:
            raise Refused(f"the keys of the issuer {self._issuer} cannot be had: {type(error).__name__}") from None

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
        size: int = REMEMBERED,
    ) -> None:
        self._issuers = issuers
        self._claims = claims
        self._clock = clock
        self._size = size
        self._lock = threading.Lock()
        self._remembered: OrderedDict[bytes, Verified] = OrderedDict()

    def remembered(self, token: str) -> Identity | None:
        """The identity in a token that was verified before, until it ends or the keys of its issuer are fetched again. Never waits."""
        digest = digest_of(token)
        with self._lock:
            found = self._remembered.get(digest)
            if found is None:
                return None
            if self._clock() < found.ends and found.keys.current() is found.known:
                self._remembered.move_to_end(digest)
                return found.identity
            del self._remembered[digest]
            return None

    def identity(self, token: str) -> Identity:
        issuer, payload, key = self._verified(token)
        found = service_account(payload) if issuer.is_cluster else person(payload, self._claims)
        keys = self._issuers[issuer.issuer][1]
        known = keys.current()
        if known is not None and key in known:
            self._remember(digest_of(token), Verified(found, float(str(payload["exp"])), keys, known))
        return found

    def _remember(self, digest: bytes, verified: Verified) -> None:
        with self._lock:
            self._remembered[digest] = verified
            self._remembered.move_to_end(digest)
            while len(self._remembered) > self._size:
                self._remembered.popitem(last=False)

    def _verified(self, token: str) -> tuple[Issuer, dict[str, object], Key]:
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except MALFORMED:
            raise Refused("it is no token") from None
        known = self._issuers.get(claimed) if isinstance(claimed, str) else None
        if known is None:
            raise Refused("it is of another issuer")
        issuer, keys = known
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in ALGORITHMS:
            raise Refused("it is signed by no algorithm that counts")
        tried: list[Key] = []
        # Known keys first, then those that the issuer has now: without a `kid` a new key is told by its signature only.
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
            raise Refused("its times are none")
        if not self._clock() < ends:
            raise Expired("its time is over")


def digest_of(token: str) -> bytes:
    """The key under which a token is remembered. The token itself is not kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def payload_by(key: Key, token: str, algorithm: str, issuer: Issuer) -> dict[str, object] | None:
    """The claims of a token that this key has signed; None where another one has."""
    try:
        return jwt.decode(
            token,
            key=key.public,
            algorithms=[algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=SKEW,
            # When it ends is looked at apart, without any leeway.
            options={"require": ["exp", "iat", "iss", "aud", "sub"], "verify_exp": False},
        )
    except jwt.InvalidSignatureError:
        return None
    except MALFORMED as error:
        raise Refused(f"it does not hold ({type(error).__name__})") from None


def service_account(payload: Mapping[str, object]) -> Identity:
    """As the API server has it: a ServiceAccount is in three groups, whatever else its token says."""
    user = name(payload.get("sub"))
    parts = user.removeprefix(SERVICE_ACCOUNT).split(":")
    if not user.startswith(SERVICE_ACCOUNT) or len(parts) != 2 or not all(parts):
        raise Refused("it is of the cluster, but of no ServiceAccount")
    return Identity(user, ("system:serviceaccounts", f"system:serviceaccounts:{parts[0]}", "system:authenticated"))


def person(payload: Mapping[str, object], claims: Claims) -> Identity:
    """A user of an identity provider, who has no name that is reserved for the cluster's own."""
    if claims.user == "email" and payload.get("email_verified") is not True:
        raise Refused("its e-mail address is not verified (email_verified is not true)")
    user = claims.user_prefix + name(claim(payload, claims.user))
    said = claim(payload, claims.groups)
    if said is None:
        said = []
    if isinstance(said, str):
        said = [said]
    if not isinstance(said, list):
        raise Refused(f"its claim {claims.groups} is no list")
    groups = tuple(claims.groups_prefix + name(group) for group in said)
    if reserved := next((each for each in (user, *groups) if is_reserved(each, claims.reserved)), None):
        raise Refused(f"the name {reserved!r} is reserved (authentication.oauth2Proxy.authorization.kubernetes.reservedNames)")
    return Identity(user, groups)


def is_reserved(name: str, reserved: tuple[str, ...]) -> bool:
    """Whether a name is one of those, or begins as one of those with a `*` does. Case makes no difference."""
    folded = name.casefold()
    return any(
        folded.startswith(each[:-1].casefold()) if each.endswith("*") else folded == each.casefold()
        for each in (SYSTEM, *reserved)
    )


def name(value: object) -> str:
    """A name that all readers read alike: without spaces around it, and without characters that are not seen."""
    if not isinstance(value, str) or value == "" or value != value.strip():
        raise Refused("a name in it is missing, or has spaces around it")
    if any(unicodedata.category(character) in UNSEEN for character in value):
        raise Refused("a name in it has control characters")
    return value

"""Who a token names: its signature, issuer, audience and time are checked, and nothing but its claims is believed."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

import jwt

#: What issuers sign with: never a shared secret, never nothing.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

#: What comes of a token that is none, or of claims of other types than they should be.
MALFORMED = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)

#: How far the clocks of issuers and of this server may be apart, in seconds.
SKEW = 60
TIMEOUT_SECONDS = 10
ANSWER_BYTES = 1_000_000

#: No more often than this an issuer is asked for a key that it may not have.
ASK_AGAIN_SECONDS = 10

SERVICE_ACCOUNT = "system:serviceaccount:"


class Refused(Exception):
    """Why a token names nobody. Never quotes the token."""


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
    """Which claims name people. For how long the proxy's session keeps a token, in seconds from its making."""

    user: str
    groups: str
    session: int


class Keys:
    """The public keys of an issuer, fetched when a token names one that is not known. What is known stays known."""

    def __init__(self, issuer: str, context: ssl.SSLContext, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
        self._clock = clock
        self._lock = threading.Lock()
        self._known: tuple[jwt.PyJWK, ...] = ()
        self._asked = -float(ASK_AGAIN_SECONDS)

    def named(self, kid: object) -> list[jwt.PyJWK]:
        """The keys by which a token with this `kid` may be signed: all, where it has none."""
        with self._lock:
            if not self._matching(kid) and self._clock() - self._asked >= ASK_AGAIN_SECONDS:
                self._asked = self._clock()
                self._known = self._fetched()
            return self._matching(kid)

    def _matching(self, kid: object) -> list[jwt.PyJWK]:
        return [key for key in self._known if (kid is None or key.key_id == kid) and key.public_key_use in (None, "sig")]

    def _fetched(self) -> tuple[jwt.PyJWK, ...]:
        try:
            described = self._json(f"{self._issuer.removesuffix('/')}/.well-known/openid-configuration")
            if described.get("issuer") != self._issuer:
                raise Refused(f"the issuer {self._issuer} calls itself by another name")
            return tuple(jwt.PyJWKSet.from_dict(self._json(str(described.get("jwks_uri")))).keys)
        except (OSError, ValueError, jwt.PyJWTError) as error:
            raise Refused(f"the keys of the issuer {self._issuer} cannot be had: {type(error).__name__}") from None

    def _json(self, url: str) -> dict[str, object]:
        if not url.startswith("https://"):
            raise ValueError("not https")
        with self._opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
            found = json.loads(answer.read(ANSWER_BYTES))
        if not isinstance(found, dict):
            raise ValueError("not an object")
        return found


class Tokens:
    """Tells who a token names, and raises Refused for every other token."""

    def __init__(self, issuers: Mapping[str, tuple[Issuer, Keys]], claims: Claims, clock: Callable[[], float] = time.time) -> None:
        self._issuers = issuers
        self._claims = claims
        self._clock = clock

    def identity(self, token: str) -> Identity:
        issuer, payload = self._verified(token)
        return service_account(payload) if issuer.is_cluster else person(payload, self._claims)

    def _verified(self, token: str) -> tuple[Issuer, dict[str, object]]:
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except MALFORMED:
            raise Refused("it is no token") from None
        known = self._issuers.get(claimed) if isinstance(claimed, str) else None
        if known is None:
            raise Refused("it is of another issuer")
        issuer, keys = known
        for key in keys.named(header.get("kid")):
            try:
                # When it ends is looked at below: by its clock alone it would, for people, end within the proxy's session.
                payload = jwt.decode(
                    token,
                    # As it stands, since many issuers do not say of a key which algorithm it is for.
                    key=key.key,
                    algorithms=ALGORITHMS,
                    audience=issuer.audience,
                    issuer=issuer.issuer,
                    leeway=SKEW,
                    options={"require": ["exp", "iat", "iss", "aud", "sub"], "verify_exp": False},
                )
            except jwt.InvalidSignatureError:
                continue
            except MALFORMED as error:
                raise Refused(f"it does not hold ({type(error).__name__})") from None
            self._within_its_time(issuer, payload)
            return issuer, payload
        raise Refused("none of its issuer's keys has signed it")

    def _within_its_time(self, issuer: Issuer, payload: Mapping[str, object]) -> None:
        ends, made = payload["exp"], payload["iat"]
        if not isinstance(ends, (int, float)) or not isinstance(made, (int, float)):
            raise Refused("its times are none")
        until = ends if issuer.is_cluster else max(ends, made + self._claims.session)
        if not self._clock() <= until + SKEW:
            raise Refused("its time is over")


def service_account(payload: Mapping[str, object]) -> Identity:
    """As the API server has it: a ServiceAccount is in three groups, whatever else its token says."""
    user = name(payload.get("sub"))
    parts = user.removeprefix(SERVICE_ACCOUNT).split(":")
    if not user.startswith(SERVICE_ACCOUNT) or len(parts) != 2 or not all(parts):
        raise Refused("it is of the cluster, but of no ServiceAccount")
    return Identity(user, ("system:serviceaccounts", f"system:serviceaccounts:{parts[0]}", "system:authenticated"))


def person(payload: Mapping[str, object], claims: Claims) -> Identity:
    """Somebody of an identity provider, who is nobody of the cluster's own: those names begin with `system:`."""
    if claims.user == "email" and payload.get("email_verified", True) is not True:
        raise Refused("its e-mail address is not verified")
    user = name(payload.get(claims.user))
    said = payload.get(claims.groups, [])
    if isinstance(said, str):
        said = [said]
    if not isinstance(said, list):
        raise Refused(f"its claim {claims.groups} is no list")
    groups = tuple(name(group) for group in said)
    if reserved := next((each for each in (user, *groups) if each.startswith("system:")), None):
        raise Refused(f"the name {reserved!r} is the cluster's own")
    return Identity(user, groups)


def name(value: object) -> str:
    """A name that is the same for everybody who reads it: no spaces around it that one takes off, nothing that is not printed."""
    if not isinstance(value, str) or value == "" or value != value.strip():
        raise Refused("a name in it is missing, or has spaces around it")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in value):
        raise Refused("a name in it has control characters")
    return value

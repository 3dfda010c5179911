"""The LDAP directory: authenticates a user with a bind, and reads the user's role from the groups."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum

from ldap3 import BASE, DEREF_NEVER, NO_ATTRIBUTES, NONE, SIMPLE, SUBTREE, SYNC, Connection, Server, Tls
from ldap3.core.exceptions import LDAPException

from mlflow_ldap_names import account_name, bind_dn, filled_filter, normalised, same_values
from mlflow_ldap_settings import Search, Settings

CONNECT_SECONDS = 3
ANSWER_SECONDS = 5

# Result codes of RFC 4511 with which a directory rejects this user: wrong password, no such entry, invalid name, locked or
# expired account, insufficient rights. All others mean that the directory is unavailable, and no user is authenticated.
REJECTIONS = frozenset({19, 32, 34, 48, 49, 50, 53})
SUCCESS = 0

log = logging.getLogger("mlflow.ldap")


class Role(Enum):
    NONE = "none"
    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True)
class Login:
    """The result of a name and a password."""

    role: Role
    #: The account in MLflow: one for each entry of the directory, regardless of which of its names was entered.
    account: str = ""
    #: The groups of the user that the directory's search for groups has found, in a form in which equal ones are equal.
    groups: frozenset[tuple[object, ...]] = frozenset()


NO_LOGIN = Login(Role.NONE)


@dataclass(frozen=True)
class Entry:
    """An entry from a search, with the values of the requested attribute."""

    dn: str
    values: list[str]


class Unavailable(Exception):
    """The directory cannot authenticate users; the message is for the log and contains no credential."""


class VerifiedTls(Tls):  # type: ignore[misc]
    """TLS with Python's verification, including the host name; ldap3 verifies host names by its own rules."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED if settings.verify else ssl.CERT_NONE)
        self.host = settings.host
        self.context = ssl.create_default_context(cafile=settings.ca_file)
        # Private CAs often do not set the extensions that Python 3.13 requires.
        self.context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not settings.verify:
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE

    def wrap_socket(self, connection: Connection, do_handshake: bool = False) -> None:
        connection.socket = self.context.wrap_socket(connection.socket, server_hostname=self.host)


class Directory:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def login(self, name: str, password: str) -> Login:
        """Returns the login for a name and a password. Raises Unavailable if the directory cannot be queried."""
        # A bind without a password succeeds in many directories, and proves nothing (RFC 4513, 5.1.2).
        if not name or not password:
            return NO_LOGIN
        settings = self._settings
        try:
            with self._connected() as connection:
                if settings.search is not None:
                    return self._by_search(connection, settings.search, name, password)
                return self._by_template(connection, settings.user_bind, name, password)
        except (LDAPException, OSError) as error:
            # Its text can contain what was sent.
            raise Unavailable(f"{type(error).__name__} from {self._place()}") from None

    def _by_template(self, connection: Connection, template: str, name: str, password: str) -> Login:
        dn = bind_dn(template, name)
        if not self._bound(connection, dn, password.encode()):
            return NO_LOGIN
        # Some directories match similar names, such as a name without its accents.
        if (own := self._own(connection, dn)) is not None and not same_values(own, dn):
            log.warning(
                "The directory resolves %r to the entry %r, which has another name, so the login is rejected. Use ldap.search",
                dn,
                own,
            )
            return NO_LOGIN
        return self._login(connection, dn, name)

    def _own(self, connection: Connection, dn: str) -> str | None:
        """Returns the DN of this entry as stored in the directory; None if the user is not allowed to read it."""
        connection.search(dn, "(objectClass=*)", BASE, DEREF_NEVER, [NO_ATTRIBUTES], time_limit=ANSWER_SECONDS)
        found = [entry["dn"] for entry in connection.response or [] if entry["type"] == "searchResEntry"]
        return found[0] if len(found) == 1 and found[0] else None

    def _by_search(self, connection: Connection, search: Search, name: str, password: str) -> Login:
        if search.credentials is not None:
            dn, secret = search.credentials.read()
            if not dn or not secret or not self._bound(connection, dn, secret):
                raise Unavailable(f"{self._place()} rejects the credentials of search.bindCredentialsSecretRef")
        wanted = [search.username_attribute]
        found = self._search(connection, search.base, filled_filter(search.filter, name), wanted)
        # Several entries are ambiguous: the password of one must not give access to the account of another.
        if len(found) != 1 or not found[0].dn:
            return NO_LOGIN
        [entry] = found
        with self._connected() as own:
            if not self._bound(own, entry.dn, password.encode()):
                return NO_LOGIN
        account = account_name(entry.dn, search.username_attribute, entry.values)
        if account is None:
            log.warning(
                "The entry %r cannot log in: its attribute %r must have one value that is a name, or one in the DN; it has %d readable "
                "values. Set ldap.search.usernameAttribute to an attribute with one value",
                entry.dn,
                search.username_attribute,
                len(entry.values),
            )
            return NO_LOGIN
        return self._login(connection, entry.dn, account)

    def _login(self, connection: Connection, dn: str, account: str) -> Login:
        groups = self._settings.groups
        by_dn = groups.attribute.lower() == "dn"
        wanted: list[str] = [NO_ATTRIBUTES if by_dn else groups.attribute]
        found = self._search(connection, groups.base, filled_filter(groups.filter, dn), wanted)
        names = [entry.dn for entry in found] if by_dn else [value for entry in found for value in entry.values]
        found_groups = frozenset(map(normalised, names))
        if normalised(groups.admin) in found_groups:
            return Login(Role.ADMIN, account, found_groups)
        role = Role.USER if normalised(groups.user) in found_groups else Role.NONE
        return Login(role, account, found_groups)

    def _search(self, connection: Connection, base: str, filter: str, attributes: list[str]) -> list[Entry]:
        connection.search(base, filter, SUBTREE, DEREF_NEVER, attributes, time_limit=ANSWER_SECONDS)
        if connection.result["result"] != SUCCESS:
            raise Unavailable(f"{self._place()} answers a search below {base!r} with {described(connection)}")
        # Referrals to other servers are not followed: those servers would receive the password.
        return [
            Entry(found["dn"], [text(value) for values in found["raw_attributes"].values() for value in values])
            for found in connection.response or []
            if found["type"] == "searchResEntry"
        ]

    def _bound(self, connection: Connection, dn: str, password: bytes) -> bool:
        """Whether the directory accepts this password for this DN."""
        # As bytes: ldap3 normalises text first (SASLprep), which can result in an empty password.
        connection.user, connection.password, connection.authentication = dn, password, SIMPLE
        connection.bind()
        result = connection.result["result"]
        if result in REJECTIONS:
            return False
        if result != SUCCESS:
            raise Unavailable(f"{self._place()} answers a bind with {described(connection)}")
        return True

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection that uses TLS before it sends anything, if TLS is configured."""
        settings = self._settings
        secured = settings.tls or settings.start_tls
        server = Server(
            settings.host,
            port=settings.port,
            use_ssl=settings.tls,
            tls=VerifiedTls(settings) if secured else None,
            get_info=NONE,
            connect_timeout=CONNECT_SECONDS,
        )
        connection = Connection(
            server,
            client_strategy=SYNC,
            auto_referrals=False,
            check_names=False,
            read_only=True,
            receive_timeout=ANSWER_SECONDS,
        )
        try:
            self._open(connection)
            yield connection
        finally:
            # An error of unbind on a broken connection must not hide the first error.
            with suppress(LDAPException, OSError):
                connection.unbind()

    def _open(self, connection: Connection) -> None:
        try:
            connection.open()
            started = not self._settings.start_tls or connection.start_tls()
        except (LDAPException, OSError) as error:
            # No credential has been sent yet, so the text is safe, and it describes what is wrong with a certificate.
            raise Unavailable(f"{self._place()} cannot be reached: {error}") from None
        if not started:
            raise Unavailable(f"{self._place()} does not start TLS")

    def _place(self) -> str:
        settings = self._settings
        return f"{'ldaps' if settings.tls else 'ldap'}://{settings.host}:{settings.port}"


def text(value: bytes) -> str:
    return value.decode(errors="replace")


def described(connection: Connection) -> str:
    """Returns the result of an operation by number and name; the server's own message can contain what it was sent."""
    return f"{connection.result['result']} ({connection.result['description']})"

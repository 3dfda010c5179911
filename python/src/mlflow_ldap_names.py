"""Names as a directory reads them: valid user names, escaping in DNs and filters, and equality of DNs."""

from __future__ import annotations

import re
import unicodedata

from ldap3.core.exceptions import LDAPInvalidDnError
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn, parse_dn

LONGEST_NAME = 255
INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def user_name(typed: str) -> str | None:
    """Returns the name of a user, in MLflow and for the directory: in lower case, because directories ignore case.

    A name that a directory reads as another one (with additional spaces or invisible characters) is invalid: one person
    must not have several accounts.
    """
    name = unicodedata.normalize("NFKC", typed).lower()
    if not name or len(name) > LONGEST_NAME or name != " ".join(name.split()):
        return None
    return None if any(unicodedata.category(character) in INVISIBLE for character in name) else name


def account_name(dn: str, attribute: str, values: list[str]) -> str | None:
    """Returns the account name of an entry: the value of the attribute; if it has several, the one in the entry's DN."""
    if len(values) > 1:
        try:
            naming = own_names(dn)
        except (LDAPInvalidDnError, IndexError):
            return None
        values = [value for name, value in naming if name == attribute.lower()]
    return user_name(values[0]) if len(values) == 1 else None


def own_names(dn: str) -> list[tuple[str, str]]:
    """Returns the attributes, in lower case, and the values of the first part of a DN."""
    names: list[tuple[str, str]] = []
    for attribute, value, separator in parse_dn(dn, escape=False, strip=True):
        names.append((attribute.lower(), unescaped(value)))
        if separator != "+":
            break
    return names


def bind_dn(template: str, name: str) -> str:
    """Returns the DN of a user; the name is escaped, so it stays one value."""
    return template.replace("%s", escape_rdn(name))


def filled_filter(template: str, value: str) -> str:
    """Returns a search filter with an escaped value."""
    return template.replace("%s", escape_filter_chars(value))


def same_values(left: str, right: str) -> bool:
    """Whether two DNs have the same values, regardless of the names of their attributes, which have aliases."""
    try:
        return all_values(left) == all_values(right)
    except (LDAPInvalidDnError, IndexError):
        return False


def all_values(dn: str) -> list[str]:
    return [folded(unescaped(value)) for _, value, _ in parse_dn(dn, escape=False, strip=True)]


def normalised(text: str) -> tuple[object, ...]:
    """Returns the parts of a DN without differences of case, spaces and escapes; for a text that is not a DN, one part. Equal for what directories treat as equal."""
    try:
        components = parse_dn(text, escape=False, strip=True)
    except (LDAPInvalidDnError, IndexError):
        return (folded(text),)
    relative: list[tuple[str, str]] = []
    names: list[object] = []
    for attribute, value, separator in components:
        relative.append((folded(attribute), folded(unescaped(value))))
        if separator != "+":
            names.append(tuple(sorted(relative)))
            relative = []
    return tuple(names) if not relative else (*names, tuple(sorted(relative)))


def folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def unescaped(value: str) -> str:
    """Returns a value without the escapes of RFC 4514: `\\2C` and `\\,` are both a comma."""
    encoded = re.sub(
        rb"\\([0-9A-Fa-f]{2}|.)",
        lambda found: bytes.fromhex(found[1].decode()) if len(found[1]) == 2 else found[1],
        value.encode(),
        flags=re.DOTALL,
    )
    return encoded.decode(errors="replace")

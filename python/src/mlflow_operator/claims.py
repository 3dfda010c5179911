"""Claims of a token by name. A name can select members of nested objects."""

from __future__ import annotations

from collections.abc import Mapping


def claim(claims: Mapping[str, object], name: str) -> object:
    """Returns the claim with this literal name; otherwise `a.b` selects the member `b` of the claim `a`. None if there is none.

    Keycloak's roles are in `realm_access.roles`. The name of a member may have dots itself, as clients in `resource_access` do.
    """
    if name in claims:
        return claims[name]
    for end in range(len(name) - 1, 0, -1):
        inner = claims.get(name[:end]) if name[end] == "." else None
        if isinstance(inner, Mapping) and (found := claim(inner, name[end + 1 :])) is not None:
            return found
    return None

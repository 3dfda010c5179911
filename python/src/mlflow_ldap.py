"""MLflow's authorization function for users of an LDAP directory: `authorization_function = mlflow_ldap:authenticate_request`.

MLflow calls it several times per request, and a page of its UI makes about forty requests. So the directory is queried at most once
per request, and its answer is cached for `ldap.passwordCacheTTL`: for that time a user who has been removed from the directory or
from a group keeps access. No password is ever logged, stored or forwarded.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Hashable
from pathlib import Path

from flask import Response, g, request
from mlflow.server.auth import make_basic_auth_response, store
from werkzeug.datastructures import Authorization

from mlflow_ldap_cache import Cache, CredentialKey
from mlflow_ldap_directory import Directory, Login, Role, Unavailable
from mlflow_ldap_names import normalised, user_name
from mlflow_ldap_settings import settings_from
from mlflow_ldap_users import enrol

# Long enough that one wrong password does not cause forty failed binds, after which a directory locks the account.
REJECTED_SECONDS = 10
# While the directory does not answer, only one request waits for it.
UNAVAILABLE_SECONDS = 5
CACHE_ENTRIES = 4096
# The groups of a user are kept longer than each login of the user: requests of the login need them.
GROUP_SECONDS = 60

log = logging.getLogger("mlflow.ldap")
settings = settings_from(Path(__file__).with_name("ldap.json"))
directory = Directory(settings)
logins: Cache[Login] = Cache(CACHE_ENTRIES)
outage: Cache[str] = Cache(1)
credential_key = CredentialKey()
groups: Cache[frozenset[Hashable]] = Cache(CACHE_ENTRIES)


def authenticate_request() -> Authorization | Response:
    """Returns the user of this request; or 401 for an unknown user, or 503 while the directory is unavailable."""
    if "mlflow_ldap" not in g:
        g.mlflow_ldap = authenticated()
    result: Authorization | Response = g.mlflow_ldap
    return result


def authenticated() -> Authorization | Response:
    unauthorized: Response = make_basic_auth_response()
    given = request.authorization
    name = user_name(given.username or "") if given is not None and given.type == "basic" else None
    password = given.password if given is not None else None
    if name is None or not password:
        return unauthorized
    try:
        login = logins.get_or_query(credential_key(name, password), lambda: query(name, password))
    except Unavailable:
        return unavailable_response()
    if login.role is Role.NONE:
        return unauthorized
    # An administrator of MLflow may have deleted the user in the meantime.
    if not store.has_user(login.account):
        enrol(store, login.account, login.role is Role.ADMIN)
    return Authorization("basic", {"username": login.account})


def query(name: str, password: str) -> tuple[Login, float]:
    """Returns the directory's answer, and for how many seconds it is cached."""
    if known := outage.get("outage"):
        raise Unavailable(known)
    try:
        login = directory.login(name, password)
    except Unavailable as error:
        outage.put("outage", str(error), UNAVAILABLE_SECONDS)
        log.error(
            "Users cannot log in, because the directory is unavailable: %s. Check the directory and spec.authentication.ldap",
            error,
        )
        raise
    if login.role is Role.NONE:
        log.info("The directory rejects the login of %s", json.dumps(name))
        return login, REJECTED_SECONDS
    enrol(store, login.account, login.role is Role.ADMIN)
    groups.put(login.account, login.groups, settings.accepted_seconds + GROUP_SECONDS)
    return login, settings.accepted_seconds


def groups_of(account: str) -> frozenset[Hashable]:
    """Returns the groups of a user according to the last query of the directory; none for a user who has not authenticated lately."""
    return groups.get(account) or frozenset()


def user_key(name: str) -> Hashable:
    return user_name(name) or name


def group_key(name: str) -> Hashable:
    return normalised(name)


def unavailable_response() -> Response:
    return Response(
        "The LDAP directory is unavailable. Try again in a moment.\n",
        status=503,
        headers={"Retry-After": str(UNAVAILABLE_SECONDS)},
        mimetype="text/plain",
    )

"""MLflow's authorization function for users of an LDAP directory: `authorization_function = mlflow_ldap:authenticate_request`.

MLflow calls it several times per request, and a page of its UI is some forty requests. So the directory is asked once per
request at most, and its answer is cached for `ldap.passwordCacheTTL`: that long a user who has left the directory, or a group,
keeps access. No password is ever logged, stored or passed on.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from flask import Response, g, request
from mlflow.server.auth import make_basic_auth_response, store
from werkzeug.datastructures import Authorization

from mlflow_ldap_directory import Directory, Login, Role, Unavailable
from mlflow_ldap_memory import CredentialKey, Memory
from mlflow_ldap_names import user_name
from mlflow_ldap_settings import settings_from
from mlflow_ldap_users import enrol

# Long enough that one wrong password is not forty failed binds, after which a directory would lock the account.
REFUSED_SECONDS = 10
# Requests need not all wait for a directory that does not answer.
UNAVAILABLE_SECONDS = 5
REMEMBERED = 4096

log = logging.getLogger("mlflow.ldap")
settings = settings_from(Path(__file__).with_name("ldap.json"))
directory = Directory(settings)
logins: Memory[Login] = Memory(REMEMBERED)
outage: Memory[str] = Memory(1)
credential_key = CredentialKey()


def authenticate_request() -> Authorization | Response:
    """The user of this request; or 401 for who is nobody, or 503 while the directory cannot tell."""
    if "mlflow_ldap" not in g:
        g.mlflow_ldap = authenticated()
    result: Authorization | Response = g.mlflow_ldap
    return result


def authenticated() -> Authorization | Response:
    refused: Response = make_basic_auth_response()
    given = request.authorization
    name = user_name(given.username or "") if given is not None and given.type == "basic" else None
    password = given.password if given is not None else None
    if name is None or not password:
        return refused
    try:
        login = logins.ask(credential_key(name, password), lambda: asked(name, password))
    except Unavailable:
        return unavailable_response()
    if login.role is Role.NOBODY:
        return refused
    # An administrator of MLflow may have deleted the user meanwhile.
    if not store.has_user(login.account):
        enrol(store, login.account, login.role is Role.ADMIN)
    return Authorization("basic", {"username": login.account})


def asked(name: str, password: str) -> tuple[Login, float]:
    """What the directory says, and how long that holds."""
    if known := outage.get("outage"):
        raise Unavailable(known)
    try:
        login = directory.login(name, password)
    except Unavailable as error:
        outage.put("outage", str(error), UNAVAILABLE_SECONDS)
        log.error("Nobody can log in, since the directory cannot be asked: %s", error)
        raise
    if login.role is Role.NOBODY:
        log.info("The directory does not let in %s", json.dumps(name))
        return login, REFUSED_SECONDS
    enrol(store, login.account, login.role is Role.ADMIN)
    return login, settings.accepted_seconds


def unavailable_response() -> Response:
    return Response(
        "The directory of users cannot be reached. Try again in a moment.\n",
        status=503,
        headers={"Retry-After": str(UNAVAILABLE_SECONDS)},
        mimetype="text/plain",
    )

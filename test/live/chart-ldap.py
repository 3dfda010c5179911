"""The function for LDAP that the image of the community chart has, by its documented behavior.

It binds as the user, searches the groups of the DN, compares an attribute of each with the names of the two groups, and stores the
user under the name that was entered.
"""

import os
import secrets
import ssl

import ldap3
from flask import Response, request
from ldap3.utils.dn import escape_rdn
from ldap3.utils.uri import parse_uri
from mlflow.server.auth import store

uri = parse_uri(os.environ["LDAP_URI"])
tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=os.environ["LDAP_CA"])
server = ldap3.Server(uri["host"], port=uri["port"], use_ssl=uri["ssl"], tls=tls, get_info=ldap3.ALL)
attribute = os.environ["LDAP_GROUP_ATTRIBUTE"]


def groups_of(name, password):
    dn = os.environ["LDAP_LOOKUP_BIND"] % escape_rdn(name)
    with ldap3.Connection(server, user=dn, password=password, auto_bind=True, read_only=True) as connection:
        connection.search(
            os.environ["LDAP_GROUP_SEARCH_BASE_DN"],
            os.environ["LDAP_GROUP_SEARCH_FILTER"] % dn,
            attributes=[attribute],
        )
        return {value for entry in connection.response for value in entry["attributes"][attribute]}


def authenticate_request_basic_auth():
    given = request.authorization
    unauthorized = Response("Unauthorized", 401, {"WWW-Authenticate": 'Basic realm="mlflow"'})
    if given is None or not given.username or not given.password:
        return unauthorized
    try:
        groups = groups_of(given.username, given.password)
    except Exception:
        return unauthorized
    is_admin = os.environ["LDAP_GROUP_ADMIN_DN"] in groups
    if not is_admin and os.environ["LDAP_GROUP_USER_DN"] not in groups:
        return unauthorized
    save = store.update_user if store.has_user(given.username) else store.create_user
    save(given.username, secrets.token_urlsafe(16), is_admin)
    return given

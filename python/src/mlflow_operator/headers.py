"""Request headers that no code after this middleware can read: addresses always, credentials after authentication.

Names are compared as WSGI compares them, where `-` and `_` are one character and case is ignored.
"""

from __future__ import annotations

Headers = list[tuple[bytes, bytes]]

#: Headers with the client's address or the path of a request through proxies.
ADDRESSES = frozenset(
    "x_forwarded_for x_forwarded_host x_forwarded_proto x_forwarded_port x_forwarded_prefix x_forwarded_server x_forwarded_scheme"
    " x_forwarded_uri x_forwarded_method x_forwarded_by x_forwarded forwarded forwarded_for via x_real_ip x_real_port x_client_ip"
    " client_ip x_cluster_client_ip true_client_ip cf_connecting_ip cf_connecting_ipv6 cf_pseudo_ipv4 fastly_client_ip"
    " x_original_forwarded_for x_originating_ip x_remote_ip x_remote_addr remote_addr x_envoy_external_address"
    " x_envoy_downstream_remote_address x_appengine_user_ip x_azure_clientip x_azure_socketip x_host x_original_host".split()
)

#: Headers that authenticate or identify a caller.
CREDENTIALS = frozenset(
    "authorization proxy_authorization cookie gap_auth kubeflow_userid x_forwarded_access_token".split()
)
CREDENTIAL_PREFIXES = (
    "x_forwarded_",
    "x_auth_request_",
    "x_remote_",
    "remote_",
    "x_ms_client_principal",
    "x_ms_token",
    "x_amzn_oidc_",
    "x_goog_",
    "x_endpoint_api_",
    "x_auth_",
    "x_user",
    "x_email",
    "x_id_token",
    "x_access_token",
    "x_jwt_",
)


def plain(name: bytes) -> str:
    return name.decode("latin-1").lower().replace("-", "_")


def without_addresses(headers: Headers) -> Headers:
    return [entry for entry in headers if plain(entry[0]) not in ADDRESSES]


def without_credentials(headers: Headers) -> Headers:
    return [entry for entry in headers if not is_credential(plain(entry[0]))]


def is_credential(name: str) -> bool:
    return name in CREDENTIALS or name.startswith(CREDENTIAL_PREFIXES)


def values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for each, value in headers if each.lower() == name]

"""Checks that the issuers of tokens serve their keys, before oauth2-proxy or MLflow starts.

oauth2-proxy exits if its main issuer is unreachable or has another name, and reports that in its log only. If an additional
issuer is unreachable, oauth2-proxy starts and rejects the tokens of that issuer until it restarts. MLflow's plugin for OpenID
Connect starts and rejects all users. So the pod waits here, and writes the reason as one line of JSON, {"reason", "message"}, to
the termination log.

Environment:
  ISSUERS          JSON, a list of {"issuer", "path", "ca", "discovery"}: the issuer as in the claim iss, the field of the spec that
                   sets it, the field for its CA bundle, and its discovery URL, unless that is the default one
  CA_FILES         JSON, a list of files with CA certificates, in addition to the system's
  TERMINATION_LOG  default /dev/termination-log
  STARTUP_SECONDS  how many seconds an issuer can take to start; default 20
"""

from __future__ import annotations

import functools
import json
import os
import ssl
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from mlflow_outcome import Failure, Peers, give_up

TIMEOUT_SECONDS = 5
ANSWER_BYTES = 1_000_000


def tls_context(ca_files: list[str], ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for path in ca_files:
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError):
            raise Failure(
                "InvalidCertificateAuthority",
                f"{path} contains no PEM certificate, so issuers cannot be verified. Correct {ca}",
            ) from None
    return context


def fetch_json(url: str, issuer: str, path: str, ca: str, context: ssl.SSLContext) -> dict[str, object]:
    """Returns the JSON object at a URL. Requested directly and without a credential, as oauth2-proxy does."""
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
    place = f"issuer {issuer} ({path})"
    try:
        with opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
            found = json.loads(answer.read(ANSWER_BYTES))
    except HTTPError as error:
        if error.code in (401, 403):
            remedy = (
                "bind the ClusterRole system:service-account-issuer-discovery to the group system:unauthenticated"
                if path.endswith("acceptServiceAccountTokens")
                else "allow access without a credential, or use another issuer"
            )
            raise Failure(
                "IssuerForbidden",
                f"{place} answers {error.code} to {url}, which must not require a credential: {remedy}",
            ) from None
        raise Failure(
            "IssuerUnreachable", f"{place} answers {error.code} to {url}. Check the URL and the issuer"
        ) from None
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            detail = error.reason.verify_message
            raise Failure(
                "IssuerUntrusted", f"the certificate of {place} is not trusted ({detail}). Set its CA bundle in {ca}"
            ) from None
        raise Failure(
            "IssuerUnreachable",
            f"{place} does not answer at {url}: {error.reason}. Check the URL, DNS and network policies",
        ) from None
    except (OSError, HTTPException) as error:
        raise Failure(
            "IssuerUnreachable",
            f"{place} does not answer at {url}: {type(error).__name__}. Check the URL and the issuer",
        ) from None
    except ValueError:
        raise Failure(
            "IssuerUnreachable", f"{place} answers {url} with something other than JSON. Check the URL"
        ) from None
    if not isinstance(found, dict):
        raise Failure("IssuerUnreachable", f"{place} answers {url} with something other than an object. Check the URL")
    return found


def check(entry: dict[str, str], context: ssl.SSLContext) -> None:
    issuer, path, ca = entry["issuer"], entry["path"], entry["ca"]
    url = entry.get("discovery") or f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
    found = fetch_json(url, issuer, path, ca, context)
    name = found.get("issuer")
    if name != issuer:
        raise Failure(
            "IssuerMismatch",
            f"{path} is {issuer}, but the discovery document at {url} has the issuer {name}. Set the field to exactly this value",
        )
    keys = found.get("jwks_uri")
    # As safe as the connection to the issuer itself.
    if not isinstance(keys, str) or urlsplit(keys).scheme not in ("https", urlsplit(url).scheme):
        raise Failure(
            "IssuerUnreachable",
            f"issuer {issuer} ({path}) has no https URL for its keys (jwks_uri). Correct the issuer's discovery document",
        )
    fetch_json(keys, issuer, path, ca, context)


def main() -> None:
    peers = Peers()
    issuers = json.loads(os.environ["ISSUERS"])
    try:
        context = tls_context(json.loads(os.environ["CA_FILES"]), issuers[0]["ca"])
    except Failure as failure:
        give_up(failure)
    for entry in issuers:
        peers.require(functools.partial(check, entry, context), "IssuerUnreachable")


if __name__ == "__main__":
    main()

"""Looks whether the issuers of tokens can be asked for their keys, before oauth2-proxy or MLflow is started.

oauth2-proxy ends at once when its main issuer cannot be reached or calls itself otherwise, and says so in its log only; where
a further issuer cannot be reached it starts, and refuses the tokens of that issuer for ever. MLflow's plugin for OpenID Connect
starts, and refuses everybody. So the pod waits here, and says why in one line of JSON, {"reason", "message"}, in the termination log.

Environment:
  ISSUERS          JSON, a list of {"issuer", "path", "ca", "discovery"}: the issuer as tokens name it, the field of the spec that
                   names it and that for its authority, and where it describes itself, unless that follows from its name
  CA_FILES      JSON, a list of files with certificate authorities, besides the public ones
  TERMINATION_LOG  default /dev/termination-log
  STARTUP_SECONDS         how many seconds an issuer may take to come up; default 20
"""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
from http.client import HTTPException
from typing import NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

TIMEOUT_SECONDS = 5
ANSWER_BYTES = 1_000_000


class Failure(Exception):
    """What a person can mend: a reason and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def trust(authorities: list[str], ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for path in authorities:
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError):
            raise Failure("InvalidCertificateAuthority", f"{path} holds no certificate in PEM. Mend {ca}") from None
    return context


def fetched(url: str, issuer: str, path: str, ca: str, context: ssl.SSLContext) -> dict[str, object]:
    """The JSON object at a URL. Asked for directly and without a credential, as oauth2-proxy does it."""
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
                else "open it, or name another issuer"
            )
            raise Failure("IssuerForbidden", f"{place} answers {error.code} to {url}, which must need no credential: {remedy}") from None
        raise Failure("IssuerUnreachable", f"{place} answers {error.code} to {url}. Check the URL and the issuer") from None
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            why = error.reason.verify_message
            raise Failure("IssuerUntrusted", f"the certificate of {place} is not trusted ({why}). Name its authority in {ca}") from None
        raise Failure("IssuerUnreachable", f"{place} does not answer at {url}: {error.reason}. Check the URL, DNS and network policies") from None
    except (OSError, HTTPException) as error:
        raise Failure("IssuerUnreachable", f"{place} does not answer at {url}: {type(error).__name__}. Check the URL and the issuer") from None
    except ValueError:
        raise Failure("IssuerUnreachable", f"{place} answers {url} with something other than JSON. Check the URL") from None
    if not isinstance(found, dict):
        raise Failure("IssuerUnreachable", f"{place} answers {url} with something other than an object. Check the URL")
    return found


def check(entry: dict[str, str], context: ssl.SSLContext) -> None:
    issuer, path, ca = entry["issuer"], entry["path"], entry["ca"]
    url = entry.get("discovery") or f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
    found = fetched(url, issuer, path, ca, context)
    name = found.get("issuer")
    if name != issuer:
        raise Failure("IssuerMismatch", f"{path} is {issuer}, but the issuer there calls itself {name}. Write it so, to the letter")
    keys = found.get("jwks_uri")
    # As safe as the way to the issuer itself.
    if not isinstance(keys, str) or urlsplit(keys).scheme not in ("https", urlsplit(url).scheme):
        raise Failure("IssuerUnreachable", f"issuer {issuer} ({path}) names no https address of its keys (jwks_uri)")
    fetched(keys, issuer, path, ca, context)


def ended(failure: Failure) -> NoReturn:
    line = json.dumps({"reason": failure.reason, "message": failure.message[:1000]})
    with open(os.environ.get("TERMINATION_LOG", "/dev/termination-log"), "w", encoding="utf-8") as log:
        log.write(line)
    print(line, file=sys.stderr, flush=True)
    sys.exit(1)


def main() -> None:
    patience = time.monotonic() + float(os.environ.get("STARTUP_SECONDS", "20"))
    issuers = json.loads(os.environ["ISSUERS"])
    try:
        context = trust(json.loads(os.environ["CA_FILES"]), issuers[0]["ca"])
    except Failure as failure:
        ended(failure)
    for entry in issuers:
        while True:
            try:
                check(entry, context)
                break
            except Failure as failure:
                if failure.reason != "IssuerUnreachable" or time.monotonic() > patience:
                    ended(failure)
                time.sleep(1)


main()

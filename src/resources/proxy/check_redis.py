"""Looks whether Redis takes the sessions of browsers, before oauth2-proxy is started.

oauth2-proxy starts without it, and then every login ends with an error that does not say why. So the pod waits here, and says
why in one line of JSON, {"reason", "message"}, in the termination log.

Environment:
  REDIS_URL        redis:// or rediss:// (TLS), a host, and perhaps a port and the number of a database
  REDIS_USERNAME   may be missing
  REDIS_PASSWORD   may be missing
  CA_FILE        a file with certificate authorities besides the public ones; may be missing
  TERMINATION_LOG  default /dev/termination-log
  STARTUP_SECONDS         how many seconds Redis may take to come up; default 20
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import time
from typing import NoReturn
from urllib.parse import urlsplit

FIELD = "spec.authentication.oauth2Proxy.session.redis"
TIMEOUT_SECONDS = 5
ANSWER_BYTES = 1000


class Failure(Exception):
    """What a person can mend: a reason and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def command(*words: str) -> bytes:
    """A command in Redis' protocol (RESP)."""
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def connected(url: str, authority: str | None) -> socket.socket:
    target = urlsplit(url)
    host = target.hostname or ""
    try:
        plain = socket.create_connection((host, target.port or 6379), TIMEOUT_SECONDS)
        if target.scheme == "redis":
            return plain
        context = ssl.create_default_context()
        if authority is not None:
            context.load_verify_locations(authority)
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        message = f"the certificate of {url} ({FIELD}.url) is not trusted ({error.verify_message}). Name its authority in {FIELD}.ca"
        raise Failure("SessionStoreRejected", message) from None
    except ssl.SSLError:
        message = f"{url} ({FIELD}.url) does not speak TLS. Write redis:// where it speaks in the clear, or check the port"
        raise Failure("SessionStoreRejected", message) from None
    except OSError as error:
        message = f"{url} ({FIELD}.url) does not answer: {error}. Check the address, DNS, network policies and Redis"
        raise Failure("SessionStoreUnreachable", message) from None


def check(url: str, username: str | None, password: str | None, authority: str | None) -> None:
    database = urlsplit(url).path.removeprefix("/") or "0"
    steps = [command("SELECT", database), command("GET", "mlflow-operator")]
    if password is not None:
        steps.insert(0, command("AUTH", username or "default", password))
    with connected(url, authority) as connection:
        for step in steps:
            try:
                connection.sendall(step)
                answer = connection.recv(ANSWER_BYTES)
            except OSError as error:
                message = f"{url} ({FIELD}.url) does not answer as Redis: {type(error).__name__}. Check the address, and whether it wants rediss://"
                raise Failure("SessionStoreUnreachable", message) from None
            refuse(url, answer)


def refuse(url: str, answer: bytes) -> None:
    """Raises if Redis does not do what it was told. Its own words are shown as far as the kind of error goes."""
    if answer.startswith((b"+", b"$")):
        return
    kind = answer.split(b" ", 1)[0].decode("ascii", "replace").strip()
    if kind in ("-NOAUTH", "-WRONGPASS", "-NOPERM"):
        message = f"{url} refuses the user ({kind[1:]}). Check {FIELD}.username and {FIELD}.passwordSecretRef"
        raise Failure("SessionStoreRejected", message)
    if answer.startswith(b"-LOADING"):
        raise Failure("SessionStoreUnreachable", f"{url} is still loading its data. It is tried again by itself")
    if answer.startswith(b"-"):
        message = f"{url} answers with {kind[1:]}. Check the number of the database and the rights of the user"
        raise Failure("SessionStoreRejected", message)
    message = f"{url} ({FIELD}.url) does not answer as Redis. Check the address, and whether it wants rediss://"
    raise Failure("SessionStoreUnreachable", message)


def ended(failure: Failure) -> NoReturn:
    line = json.dumps({"reason": failure.reason, "message": failure.message[:1000]})
    with open(os.environ.get("TERMINATION_LOG", "/dev/termination-log"), "w", encoding="utf-8") as log:
        log.write(line)
    print(line, file=sys.stderr, flush=True)
    sys.exit(1)


def main() -> None:
    patience = time.monotonic() + float(os.environ.get("STARTUP_SECONDS", "20"))
    of = os.environ.get
    while True:
        try:
            return check(os.environ["REDIS_URL"], of("REDIS_USERNAME"), of("REDIS_PASSWORD"), of("CA_FILE"))
        except Failure as failure:
            if failure.reason != "SessionStoreUnreachable" or time.monotonic() > patience:
                ended(failure)
            time.sleep(1)


main()

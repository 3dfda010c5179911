"""Checks that Redis accepts browser sessions, before oauth2-proxy starts.

oauth2-proxy starts without Redis, and then every login fails with an error that does not show the reason. So the pod waits here, and
writes the reason as one line of JSON, {"reason", "message"}, to the termination log.

Environment:
  REDIS_URL        redis:// or rediss:// (TLS), a host, and optionally a port and the number of a database
  REDIS_USERNAME   optional
  REDIS_PASSWORD   optional
  CA_FILE          a file with CA certificates, in addition to the system's; optional
  TERMINATION_LOG  default /dev/termination-log
  STARTUP_SECONDS  how many seconds Redis can take to start; default 20
"""

from __future__ import annotations

import os
import socket
import ssl
from urllib.parse import urlsplit

from mlflow_outcome import Failure, Peers

FIELD = "spec.authentication.oauth2Proxy.session.redis"
TIMEOUT_SECONDS = 5
ANSWER_BYTES = 1000


def command(*words: str) -> bytes:
    """A command in Redis' protocol (RESP)."""
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def connect(url: str, ca_file: str | None) -> socket.socket:
    target = urlsplit(url)
    host = target.hostname or ""
    try:
        plain = socket.create_connection((host, target.port or 6379), TIMEOUT_SECONDS)
        if target.scheme == "redis":
            return plain
        context = ssl.create_default_context()
        if ca_file is not None:
            context.load_verify_locations(ca_file)
        return context.wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        message = f"the certificate of {url} ({FIELD}.url) is not trusted ({error.verify_message}). Set its CA bundle in {FIELD}.ca"
        raise Failure("SessionStoreRejected", message) from None
    except ssl.SSLError:
        message = (
            f"{url} ({FIELD}.url) does not accept TLS connections. Use redis:// if it has no TLS, or check the port"
        )
        raise Failure("SessionStoreRejected", message) from None
    except OSError as error:
        message = f"{url} ({FIELD}.url) does not answer: {error}. Check the address, DNS, network policies and Redis"
        raise Failure("SessionStoreUnreachable", message) from None


def check(url: str, username: str | None, password: str | None, ca_file: str | None) -> None:
    database = urlsplit(url).path.removeprefix("/") or "0"
    steps = [command("SELECT", database), command("GET", "mlflow-operator")]
    if password is not None:
        steps.insert(0, command("AUTH", username or "default", password))
    with connect(url, ca_file) as connection:
        for step in steps:
            try:
                connection.sendall(step)
                answer = connection.recv(ANSWER_BYTES)
            except OSError as error:
                message = f"{url} ({FIELD}.url) does not answer as Redis: {type(error).__name__}. Check the address, and whether it requires rediss://"
                raise Failure("SessionStoreUnreachable", message) from None
            require_success(url, answer)


def require_success(url: str, answer: bytes) -> None:
    """Raises Failure for an error reply. Only the kind of the error is shown."""
    if answer.startswith((b"+", b"$")):
        return
    kind = answer.split(b" ", 1)[0].decode("ascii", "replace").strip()
    if kind in ("-NOAUTH", "-WRONGPASS", "-NOPERM"):
        message = f"{url} rejects the user ({kind[1:]}), so no user can log in. Check {FIELD}.username and {FIELD}.passwordSecretRef"
        raise Failure("SessionStoreRejected", message)
    if answer.startswith(b"-LOADING"):
        raise Failure(
            "SessionStoreUnreachable",
            f"{url} is still loading its data. The check is repeated automatically. No action required",
        )
    if answer.startswith(b"-"):
        message = f"{url} answers with {kind[1:]}. Check the number of the database and the permissions of the user"
        raise Failure("SessionStoreRejected", message)
    message = f"{url} ({FIELD}.url) does not answer as Redis. Check the address, and whether it requires rediss://"
    raise Failure("SessionStoreUnreachable", message)


def main() -> None:
    get = os.environ.get
    url, username, password, ca_file = (
        os.environ["REDIS_URL"],
        get("REDIS_USERNAME"),
        get("REDIS_PASSWORD"),
        get("CA_FILE"),
    )
    Peers().require(lambda: check(url, username, password, ca_file), "SessionStoreUnreachable")


if __name__ == "__main__":
    main()

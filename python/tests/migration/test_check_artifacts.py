"""Tests of the check of the artifact store: MLflow's real clients against a server that answers as S3, Google and Azure do."""

import base64
import http.server
import json
import os
import tempfile
import threading
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.exceptions import DefaultCredentialsError

import check_artifacts

#: What the server answers: a status, and the code of the error.
ANSWER: list[Any] = [200, ""]
ASKED: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        ASKED.append(f"{self.command} {self.path}")
        if self.path == "/token":
            is_known = ANSWER[1] != "invalid_grant"
            self.send(
                200 if is_known else 400,
                json.dumps({"access_token": "t", "expires_in": 3600} if is_known else {"error": "invalid_grant"}),
            )
        elif self.path.startswith("/upload/"):
            self.send(
                ANSWER[0], json.dumps({"error": {"code": ANSWER[0], "message": ANSWER[1]}} if ANSWER[0] >= 400 else {})
            )
        elif "uploads" in self.path:
            xml = f"<Error><Code>{ANSWER[1]}</Code></Error>" if ANSWER[0] >= 400 else "<R><UploadId>u</UploadId></R>"
            self.send(ANSWER[0], xml)
        else:
            self.send(
                201 if ANSWER[0] == 200 else ANSWER[0],
                f"<Error><Code>{ANSWER[1]}</Code><Message>-</Message></Error>" if ANSWER[0] >= 400 else "",
            )

    def send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json" if text.startswith("{") else "application/xml")
        self.send_header("content-length", str(len(text)))
        self.send_header("location", f"http://127.0.0.1:{PORT}/session")
        if ANSWER[1]:
            self.send_header("x-ms-error-code", str(ANSWER[1]))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        pass


SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
PORT = SERVER.server_address[1]
FOLDER = Path(tempfile.mkdtemp())
SECRET = base64.b64encode(b"of the tests").decode()


def environment(scheme: str, port: int = PORT) -> dict[str, str]:
    """The variables of a server with a store at that port."""
    url = f"http://127.0.0.1:{port}"
    if scheme == "s3":
        return {
            "MLFLOW_S3_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
        }
    if scheme == "wasbs":
        return {"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=models;AccountKey={SECRET};BlobEndpoint={url}/models"}
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {
        "type": "service_account",
        "project_id": "p",
        "client_email": "a@b",
        "private_key": pem,
        "token_uri": f"http://127.0.0.1:{PORT}/token",
    }
    path = FOLDER / "key.json"
    path.write_text(json.dumps(account), encoding="utf-8")
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(path), "API_ENDPOINT_OVERRIDE": url}


LOCATIONS = {
    "s3": "s3://models/a/b",
    "gs": "gs://models/a/b",
    "wasbs": "wasbs://mlflow@models.blob.core.windows.net/a/b",
}

#: Scheme, status and error code of an answer, and the reason that follows from it.
ANSWERS = [
    ("s3", 403, "AccessDenied", "ArtifactStoreReadOnly"),
    ("s3", 404, "NoSuchBucket", "ArtifactStoreNotFound"),
    ("s3", 403, "SignatureDoesNotMatch", "ArtifactStoreAuthenticationFailed"),
    ("s3", 400, "InvalidRequest", "ArtifactStoreRejected"),
    ("gs", 403, "denied", "ArtifactStoreReadOnly"),
    ("gs", 404, "no bucket", "ArtifactStoreNotFound"),
    ("gs", 401, "unknown", "ArtifactStoreAuthenticationFailed"),
    ("gs", 200, "invalid_grant", "ArtifactStoreAuthenticationFailed"),
    ("gs", 412, "a policy", "ArtifactStoreRejected"),
    ("wasbs", 403, "AuthorizationPermissionMismatch", "ArtifactStoreReadOnly"),
    ("wasbs", 404, "ContainerNotFound", "ArtifactStoreNotFound"),
    ("wasbs", 403, "AuthenticationFailed", "ArtifactStoreAuthenticationFailed"),
    ("wasbs", 403, "AuthorizationFailure", "ArtifactStoreAuthenticationFailed"),
    ("wasbs", 403, "KeyBasedAuthenticationNotPermitted", "ArtifactStoreAuthenticationFailed"),
    ("wasbs", 409, "FeatureNotSupported", "ArtifactStoreRejected"),
]


def setUpModule() -> None:
    threading.Thread(target=SERVER.serve_forever, daemon=True).start()


def tearDownModule() -> None:
    SERVER.shutdown()


class OfTheStore(unittest.TestCase):
    def reason(self, scheme: str, variables: dict[str, str]) -> str | None:
        """Returns the reason of a failed check with only these variables, and asserts that its message shows no secret."""
        ASKED.clear()
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_", "GOOGLE_"))
        }
        with (
            mock.patch.dict(os.environ, {**clean, **variables}, clear=True),
            mock.patch.object(check_artifacts, "LOCATION", LOCATIONS[scheme]),
        ):
            store = check_artifacts.STORES[scheme]
            try:
                store.write()
            except Exception as error:
                reason, code = check_artifacts.classify(error)
                message = f"{store.place()} {store.remedy(reason)} ({code})"
                self.assertNotIn(SECRET, message)
                self.assertRegex(message, r"models")
                return reason
        return None

    def test_is_writable_and_nothing_is_left_in_it(self) -> None:
        ANSWER[:] = [200, ""]
        left = {"s3": "DELETE /models/a/b/.mlflow-operator-check", "gs": "DELETE /session", "wasbs": "comp=block"}
        for scheme in LOCATIONS:
            self.assertIsNone(self.reason(scheme, environment(scheme)), scheme)
            # Google's client reads the bucket's metadata in a separate thread, at any time.
            self.assertTrue(any(left[scheme] in each for each in ASKED), (scheme, ASKED))

    def test_answers_with_an_error(self) -> None:
        for scheme, status, code, reason in ANSWERS:
            ANSWER[:] = [status, code]
            self.assertEqual(self.reason(scheme, environment(scheme)), reason, (scheme, code))

    def test_does_not_answer(self) -> None:
        ANSWER[:] = [200, ""]
        for scheme in LOCATIONS:
            self.assertEqual(self.reason(scheme, environment(scheme, 1)), "ArtifactStoreUnreachable", scheme)

    def test_speaks_no_tls(self) -> None:
        for scheme in LOCATIONS:
            variables = {
                name: value.replace(f"http://127.0.0.1:{PORT}", f"https://127.0.0.1:{PORT}")
                for name, value in environment(scheme).items()
            }
            self.assertEqual(self.reason(scheme, variables), "ArtifactStoreTLSVerificationFailed", scheme)

    def test_has_no_credentials(self) -> None:
        ANSWER[:] = [200, ""]
        with mock.patch("google.auth.default", side_effect=DefaultCredentialsError):
            self.assertEqual(
                self.reason("gs", {"API_ENDPOINT_OVERRIDE": f"http://127.0.0.1:{PORT}"}),
                "ArtifactStoreAuthenticationFailed",
            )

    def test_has_a_message_for_each_reason(self) -> None:
        for store in check_artifacts.STORES.values():
            for reason in {*check_artifacts.CODES.values(), *check_artifacts.CLASSES.values(), "ArtifactStoreRejected"}:
                self.assertRegex(store.remedy(reason), "Check|Correct|Create|Grant")


if __name__ == "__main__":
    unittest.main()

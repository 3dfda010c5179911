"""Checks that MLflow can write to its bucket, before the databases are migrated and any pod starts.

Runs in the MLflow image with the environment of the server, and uses MLflow's own client for the bucket, so the check
does what the server does. It starts a multipart upload and aborts it: that requires the permission to write objects, and
leaves nothing in the bucket, even if no credential may delete.

Environment: that of the server, and
  MIGRATION_TERMINATION_LOG         where the failure is reported; default /dev/termination-log
  MIGRATION_PHASE_SECONDS           deadline of the check; default 180

Exit code 0: MLflow can write. Exit code 1: one line of JSON, {"reason", "message"}, is in the termination log and on
stderr. Reasons: ArtifactStoreReadOnly, ArtifactStoreAuthenticationFailed, ArtifactStoreUnreachable, ArtifactStoreNotFound,
ArtifactStoreTLSVerificationFailed, ArtifactStoreRejected, UnsupportedImage.

No credential and no text of an exception is ever written; messages contain bucket, endpoint and error codes only.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import NoReturn

OUT = sys.stdout
ERR = sys.stderr
LOCATION = os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", "")
ENDPOINT = os.environ.get("MLFLOW_S3_ENDPOINT_URL") or "AWS"

# Deadline of the check.
SECONDS = float(os.environ.get("MIGRATION_PHASE_SECONDS") or "180")

# Codes of the S3 protocol: docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
CODES = {
    "AccessDenied": "ArtifactStoreReadOnly",
    "AllAccessDisabled": "ArtifactStoreReadOnly",
    "403": "ArtifactStoreReadOnly",
    "NoSuchBucket": "ArtifactStoreNotFound",
    "404": "ArtifactStoreNotFound",
    "InvalidAccessKeyId": "ArtifactStoreAuthenticationFailed",
    "SignatureDoesNotMatch": "ArtifactStoreAuthenticationFailed",
    "InvalidClientTokenId": "ArtifactStoreAuthenticationFailed",
    "AuthFailure": "ArtifactStoreAuthenticationFailed",
    "ExpiredToken": "ArtifactStoreAuthenticationFailed",
    "InvalidToken": "ArtifactStoreAuthenticationFailed",
    "TokenRefreshRequired": "ArtifactStoreAuthenticationFailed",
}
# Exceptions of botocore, if there was no answer: the first class of the inheritance chain that is listed here counts.
CLASSES = {
    "NoCredentialsError": "ArtifactStoreAuthenticationFailed",
    "PartialCredentialsError": "ArtifactStoreAuthenticationFailed",
    "CredentialRetrievalError": "ArtifactStoreAuthenticationFailed",
    "SSLError": "ArtifactStoreTLSVerificationFailed",
    "HTTPClientError": "ArtifactStoreUnreachable",
    "ConnectionError": "ArtifactStoreUnreachable",
    "ConnectTimeoutError": "ArtifactStoreUnreachable",
}
REMEDIES = {
    "ArtifactStoreReadOnly": "denies writes with these credentials. Grant them s3:PutObject (and s3:AbortMultipartUpload) on the bucket,"
    " or set artifactStore.connectionCheck: false for a server that only reads",
    "ArtifactStoreAuthenticationFailed": "does not accept the credentials, or there are none. Correct the Secret that"
    " artifactStore.s3.credentialsSecretRef references, or the role of the service account",
    "ArtifactStoreUnreachable": "does not answer. Check artifactStore.s3.endpointURL and region, and that network policies"
    " let these pods reach it",
    "ArtifactStoreNotFound": "does not exist there. Create the bucket, or correct artifactStore.s3.bucket",
    "ArtifactStoreRejected": "rejects an upload. Check region, endpointURL and the bucket's policy",
    "ArtifactStoreTLSVerificationFailed": "failed TLS verification. Check that its certificate is signed by"
    " artifactStore.s3.ca, or by a public CA, and contains this host name",
}


def place() -> str:
    return f'bucket "{LOCATION.removeprefix("s3://").partition("/")[0]}" at {ENDPOINT}'


def give_up(reason: str, message: str) -> NoReturn:
    line = json.dumps({"reason": reason, "message": message[:2000]})
    print(line, file=ERR, flush=True)
    with contextlib.suppress(OSError):
        Path(os.environ.get("MIGRATION_TERMINATION_LOG") or "/dev/termination-log").write_text(
            f"{line}\n", encoding="utf-8"
        )
    os._exit(1)


def classify(error: Exception) -> tuple[str, str]:
    """Returns the stable reason of an exception, and the error code or class that it follows from."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        code = re.sub(r"[^A-Za-z0-9._-]", "?", str(response.get("Error", {}).get("Code", "")))[:60]
        return CODES.get(code, "ArtifactStoreRejected"), code
    kinds = [kind.__name__ for kind in type(error).__mro__]
    reason = next((CLASSES[kind] for kind in kinds if kind in CLASSES), "ArtifactStoreRejected")
    return reason, kinds[0]


def check() -> None:
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    store = S3ArtifactRepository(LOCATION)
    bucket, prefix = store.parse_s3_compliant_uri(LOCATION)
    key = "/".join(part for part in (prefix, ".mlflow-operator-check") if part)
    client = store._get_s3_client()
    # Some buckets reject uploads without these: an encryption key, an access list.
    extra = {**(store.get_s3_file_upload_extra_args() or {}), **getattr(store, "_bucket_owner_params", {})}
    upload = client.create_multipart_upload(Bucket=bucket, Key=key, **extra)
    # An upload that cannot be aborted expires by the bucket's lifecycle rules; the check has succeeded anyway.
    with contextlib.suppress(Exception):
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])


def main() -> NoReturn:
    # Process 1 of a container ignores a signal without a handler.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    warnings.simplefilter("ignore")
    # Covers everything that can hang, such as DNS resolution.
    timeout = (
        "ArtifactStoreUnreachable",
        f"Writing: the {place()} {REMEDIES['ArtifactStoreUnreachable']} (timeout after {SECONDS:g} s).",
    )
    timer = threading.Timer(SECONDS, give_up, timeout)
    timer.daemon = True
    timer.start()
    # A hanging connection is reported within a minute; the kubelet retries the whole container.
    os.environ.update({"AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"})
    try:
        import botocore.config

        default = botocore.config.Config.OPTION_DEFAULTS
        default.update({"connect_timeout": 10, "read_timeout": 10})
        check()
    except ImportError as error:
        give_up(
            "UnsupportedImage",
            f"The MLflow image does not contain {error.name or 'a package'}, which MLflow requires for S3. Use the project's image.",
        )
    except Exception as error:
        reason, code = classify(error)
        give_up(reason, f"Writing: the {place()} {REMEDIES[reason]} ({code}).")
    print(f"{place()} is writable", file=OUT, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()

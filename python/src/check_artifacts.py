"""Checks that MLflow can write to its bucket, before the databases are migrated and any pod starts.

Runs in the MLflow image with the environment of the server, and uses MLflow's own client for the bucket, so the check
does what the server does. It starts an upload and does not complete it: that requires the permission to write objects, and
leaves nothing in the bucket, even if the credentials have no permission to delete objects. In S3 the upload is aborted, in Google Cloud Storage its session
is cancelled, and in Azure Blob Storage one block without a blob expires.

Environment: that of the server, and
  TERMINATION_LOG                   where the failure is reported; default /dev/termination-log
  MIGRATION_PHASE_SECONDS           deadline of the check; default 180

Exit code 0: MLflow can write. Exit code 1: one line of JSON, {"reason", "message"}, is in the termination log and on
stderr. Reasons: ArtifactStoreReadOnly, ArtifactStoreAuthenticationFailed, ArtifactStoreUnreachable, ArtifactStoreNotFound,
ArtifactStoreTLSVerificationFailed, ArtifactStoreRejected, UnsupportedImage.

No credential and no text of an exception is ever written; messages contain bucket, endpoint and error codes only.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn

import mlflow_late_imports
from mlflow_outcome import Failure, deadline, end_on_sigterm, give_up, log, silence_libraries, succeed

LOCATION = os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", "")

# Deadline of the check.
SECONDS = float(os.environ.get("MIGRATION_PHASE_SECONDS") or "180")

# Codes of the S3 protocol (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) and of Azure Blob Storage
# (learn.microsoft.com/rest/api/storageservices/blob-service-error-codes), and status codes where there is no other code.
CODES = {
    "AccessDenied": "ArtifactStoreReadOnly",
    "AllAccessDisabled": "ArtifactStoreReadOnly",
    "AuthorizationPermissionMismatch": "ArtifactStoreReadOnly",
    "AuthorizationProtocolMismatch": "ArtifactStoreReadOnly",
    "AuthorizationResourceTypeMismatch": "ArtifactStoreReadOnly",
    "AuthorizationServiceMismatch": "ArtifactStoreReadOnly",
    "AuthorizationSourceIPMismatch": "ArtifactStoreReadOnly",
    "InsufficientAccountPermissions": "ArtifactStoreReadOnly",
    "403": "ArtifactStoreReadOnly",
    "NoSuchBucket": "ArtifactStoreNotFound",
    "ContainerNotFound": "ArtifactStoreNotFound",
    "ContainerBeingDeleted": "ArtifactStoreNotFound",
    "404": "ArtifactStoreNotFound",
    "InvalidAccessKeyId": "ArtifactStoreAuthenticationFailed",
    "SignatureDoesNotMatch": "ArtifactStoreAuthenticationFailed",
    "InvalidClientTokenId": "ArtifactStoreAuthenticationFailed",
    "AuthFailure": "ArtifactStoreAuthenticationFailed",
    "ExpiredToken": "ArtifactStoreAuthenticationFailed",
    "InvalidToken": "ArtifactStoreAuthenticationFailed",
    "TokenRefreshRequired": "ArtifactStoreAuthenticationFailed",
    "AccountIsDisabled": "ArtifactStoreAuthenticationFailed",
    # Of an account with network rules; a permission that is missing has another code.
    "AuthorizationFailure": "ArtifactStoreAuthenticationFailed",
    "AuthenticationFailed": "ArtifactStoreAuthenticationFailed",
    "InvalidAuthenticationInfo": "ArtifactStoreAuthenticationFailed",
    "KeyBasedAuthenticationNotPermitted": "ArtifactStoreAuthenticationFailed",
    "NoAuthenticationInformation": "ArtifactStoreAuthenticationFailed",
    "PublicAccessNotPermitted": "ArtifactStoreAuthenticationFailed",
    "401": "ArtifactStoreAuthenticationFailed",
}
# Exceptions of the clients, if there was no answer: the first class of the inheritance chain that is listed here is used.
CLASSES = {
    "NoCredentialsError": "ArtifactStoreAuthenticationFailed",
    "PartialCredentialsError": "ArtifactStoreAuthenticationFailed",
    "CredentialRetrievalError": "ArtifactStoreAuthenticationFailed",
    "AnonymousClientError": "ArtifactStoreAuthenticationFailed",
    "RefreshError": "ArtifactStoreAuthenticationFailed",
    "DefaultCredentialsError": "ArtifactStoreAuthenticationFailed",
    "ClientAuthenticationError": "ArtifactStoreAuthenticationFailed",
    "SSLError": "ArtifactStoreTLSVerificationFailed",
    "HTTPClientError": "ArtifactStoreUnreachable",
    "ConnectionError": "ArtifactStoreUnreachable",
    "ConnectTimeoutError": "ArtifactStoreUnreachable",
    "Timeout": "ArtifactStoreUnreachable",
    "TransportError": "ArtifactStoreUnreachable",
    "ServiceRequestError": "ArtifactStoreUnreachable",
    "ServiceResponseError": "ArtifactStoreUnreachable",
}


class AnonymousClientError(Exception):
    """MLflow has found no credentials, and would send requests without any."""


@dataclass(frozen=True)
class Store:
    """A kind of store: how the check writes there, and how messages name it."""

    name: str
    write: Callable[[], None]
    place: Callable[[], str]
    #: What to grant, to correct and to check, by the fields of the spec.
    permission: str
    credentials: str
    address: str
    bucket: str
    policy: str
    ca: str

    def remedy(self, reason: str) -> str:
        return {
            "ArtifactStoreReadOnly": f"denies writes with these credentials. Grant them {self.permission},"
            " or set artifactStore.connectionCheck: false for a server that only reads",
            "ArtifactStoreAuthenticationFailed": f"does not accept the credentials, or there are none. Correct {self.credentials}",
            "ArtifactStoreUnreachable": f"does not answer. Check {self.address}, and that network policies let these pods reach it",
            "ArtifactStoreNotFound": f"does not exist there. Create {self.bucket}",
            "ArtifactStoreRejected": f"rejects an upload. Check {self.policy}",
            "ArtifactStoreTLSVerificationFailed": f"failed TLS verification. Check that its certificate is signed by {self.ca},"
            " and contains this host name",
        }[reason]


def bucket_name() -> str:
    return LOCATION.partition("://")[2].partition("/")[0]


def key_of(prefix: str) -> str:
    return "/".join(part for part in (prefix, ".mlflow-operator-check") if part)


def write_s3() -> None:
    import botocore.config
    from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

    botocore.config.Config.OPTION_DEFAULTS.update({"connect_timeout": 10, "read_timeout": 10})
    store = S3ArtifactRepository(LOCATION)
    bucket, prefix = store.parse_s3_compliant_uri(LOCATION)
    key = key_of(prefix)
    client = store._get_s3_client()
    # Some buckets reject uploads without these: an encryption key, an access list.
    extra = {**(store.get_s3_file_upload_extra_args() or {}), **getattr(store, "_bucket_owner_params", {})}
    upload = client.create_multipart_upload(Bucket=bucket, Key=key, **extra)
    # An upload that cannot be aborted expires by the bucket's lifecycle rules; the check has succeeded anyway.
    with contextlib.suppress(Exception):
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])


def write_gcs() -> None:
    from google.auth.credentials import AnonymousCredentials
    from mlflow.store.artifact.gcs_artifact_repo import GCSArtifactRepository

    store = GCSArtifactRepository(LOCATION)
    if isinstance(store.client._credentials, AnonymousCredentials):
        raise AnonymousClientError
    bucket, prefix = store.parse_gcs_uri(LOCATION)
    blob = store.client.bucket(bucket).blob(key_of(prefix))
    session = blob.create_resumable_upload_session(size=0, timeout=10, retry=None)
    # A session that is not cancelled expires after a week.
    with contextlib.suppress(Exception):
        store.client._http.delete(session, timeout=10)


def write_azure() -> None:
    from mlflow.store.artifact.azure_blob_artifact_repo import AzureBlobArtifactRepository

    store = AzureBlobArtifactRepository(LOCATION)
    container, _, prefix, _ = store.parse_wasbs_uri(LOCATION)
    blob = store.client.get_blob_client(container, key_of(prefix))
    # A block without a blob is not listed, and expires after a week.
    blob.stage_block("Y2hlY2s=", b"-", retry_total=0, connection_timeout=10, read_timeout=10)


STORES = {
    "s3": Store(
        name="S3",
        write=write_s3,
        place=lambda: f'bucket "{bucket_name()}" at {os.environ.get("MLFLOW_S3_ENDPOINT_URL") or "AWS"}',
        permission="s3:PutObject (and s3:AbortMultipartUpload) on the bucket",
        credentials="the Secret that artifactStore.s3.credentialsSecretRef references, or the role of the service account",
        address="artifactStore.s3.endpointURL and region",
        bucket="the bucket, or correct artifactStore.s3.bucket",
        policy="region, endpointURL and the bucket's policy",
        ca="artifactStore.s3.ca, or by a public CA",
    ),
    "gs": Store(
        name="Google Cloud Storage",
        write=write_gcs,
        place=lambda: (
            f'bucket "{bucket_name()}" at {os.environ.get("API_ENDPOINT_OVERRIDE") or "Google Cloud Storage"}'
        ),
        permission="the role Storage Object User (storage.objects.create) on the bucket",
        credentials="the Secret that artifactStore.gcs.credentialsSecretRef references, or Workload Identity of the service account",
        address="artifactStore.gcs.endpointURL",
        bucket="the bucket, or correct artifactStore.gcs.bucket",
        policy="the policy of the bucket. If the credentials name no project, set GOOGLE_CLOUD_PROJECT in server.env",
        ca="a public CA",
    ),
    "wasbs": Store(
        name="Azure Blob Storage",
        write=write_azure,
        place=lambda: 'container "{0}" of storage account "{2}"'.format(
            *bucket_name().partition(".")[0].partition("@")
        ),
        permission="the role Storage Blob Data Contributor on the container",
        credentials="the Secret that artifactStore.azureBlob references, or Workload ID of the service account, or the network rules of the storage account",
        address="artifactStore.azureBlob.storageAccount and endpointSuffix",
        bucket="the container, or correct artifactStore.azureBlob.container",
        policy="the configuration of the storage account",
        ca="a public CA",
    ),
}


def codes_of(error: BaseException) -> Iterator[str]:
    """The error codes in the answer of a store, the most precise one first."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        yield str(response.get("Error", {}).get("Code", ""))
        return
    for code in (
        getattr(error, "error_code", None),
        getattr(error, "status_code", None),
        getattr(response, "status_code", None),
    ):
        if code is not None:
            yield str(getattr(code, "value", code))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception, and those that have caused it: clients wrap those of their HTTP libraries."""
    while error is not None:
        yield error
        wrapped = next((each for each in error.args if isinstance(each, BaseException)), None)
        error = error.__cause__ or error.__context__ or getattr(error, "inner_exception", None) or wrapped


def classify(error: Exception) -> tuple[str, str]:
    """Returns the stable reason of an exception, and the error code or class that it follows from."""
    errors = list(chain(error))[:8]
    # A client can report a wrong certificate as an unreachable server.
    for each in errors:
        if any(kind.__name__ in ("SSLError", "SSLCertVerificationError") for kind in type(each).__mro__):
            return "ArtifactStoreTLSVerificationFailed", type(error).__name__
    codes = [re.sub(r"[^A-Za-z0-9._-]", "?", code)[:60] for code in codes_of(error)]
    for code in codes:
        if code in CODES:
            return CODES[code], code
    kinds = [kind.__name__ for each in errors for kind in type(each).__mro__]
    reason = next((CLASSES[kind] for kind in kinds if kind in CLASSES), "ArtifactStoreRejected")
    return reason, codes[0] if codes else kinds[0]


def main() -> NoReturn:
    end_on_sigterm()
    mlflow_late_imports.prepare()
    silence_libraries()
    store = STORES[LOCATION.partition(":")[0]]
    reason = "ArtifactStoreUnreachable"
    timeout = Failure(reason, f"Writing: the {store.place()} {store.remedy(reason)}.")
    # A hanging connection is reported within a minute; the kubelet retries the whole container.
    os.environ.update({"AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"})
    try:
        with deadline(SECONDS, timeout):
            store.write()
    except ImportError as error:
        give_up(
            Failure(
                "UnsupportedImage",
                f"The MLflow image does not contain {error.name or 'a package'}, which MLflow requires for {store.name}. Use the project's image.",
            )
        )
    except Exception as error:
        reason, code = classify(error)
        give_up(Failure(reason, f"Writing: the {store.place()} {store.remedy(reason)} ({code})."))
    log(f"{store.place()} is writable")
    succeed()


if __name__ == "__main__":
    main()

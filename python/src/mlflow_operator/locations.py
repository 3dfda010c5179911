"""Validates artifact locations: those in requests, and those that the server is about to use.

The server reads and writes artifacts with its own credentials, so a location is a request to use them. MLflow checks the permissions
for an experiment or a model and trusts the location that is stored with it. There are two checks. The first returns an error to a client
that sends a location. The second applies when a location is used, however it was stored in the database; it alone would be sufficient.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote, urlsplit

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, PERMISSION_DENIED
from mlflow.server import ARTIFACT_ROOT_ENV_VAR, ARTIFACTS_DESTINATION_ENV_VAR, handlers
from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.tracking import sqlalchemy_store
from mlflow.utils.workspace_context import get_request_workspace

#: Schemes that MLflow resolves itself, with its own permissions.
RESOLVED = ("runs", "models")
PROXIED = "mlflow-artifacts"

#: Fields of MLflow's messages with a location that the server reads or writes later.
FIELDS = {
    "mlflow.CreateExperiment": ("artifact_location",),
    "mlflow.CreateModelVersion": ("source",),
    "mlflow.CreateWorkspace": ("default_artifact_root", "trace_archival_config.location"),
    "mlflow.UpdateWorkspace": ("default_artifact_root", "trace_archival_config.location"),
}

#: Tags whose value is such a location, and the messages that can contain them.
TAGS = frozenset(("mlflow.artifactLocation", "mlflow.trace.archiveLocation"))
TAGGED = frozenset(
    (
        "mlflow.SetTraceTag",
        "mlflow.SetTraceTagV3",
        "mlflow.StartTrace",
        "mlflow.EndTrace",
        "mlflow.StartTraceV3",
        "mlflow.CreateExperiment",
    )
)

#: The sources of prompts, which have no artifacts. MLflow before 3.17 has the values, but no constant with them.
PLACEHOLDERS: frozenset[str] = frozenset(
    getattr(handlers, "_PROMPT_SOURCE_PLACEHOLDERS", ("dummy-source", "prompt-template"))
)

#: Whether the server's own destination is opened, whose paths the request's route authorizes.
of_the_server: ContextVar[bool] = ContextVar("of_the_server", default=False)

#: Characters that clients of a store, and code that compares locations, interpret differently.
AMBIGUOUS = re.compile(r"[\x00-\x1f\x7f\\]|^\s|\s$")

#: Schemes of Azure, which have the name of a container before an @; others have a user name there.
WITH_CONTAINER = ("wasbs", "abfss")
CONTAINER = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+")

Parts = tuple[str, str, list[str]]


class Roots:
    """The locations below which artifacts of this server, and of each workspace, are."""

    def __init__(self, roots: Sequence[str], *, has_workspaces: bool) -> None:
        self.roots = [
            parts for root in roots for form in {root, decoded(root)} if (parts := parts_of(form)) is not None
        ]
        self.has_workspaces = has_workspaces

    def permits(self, location: str, workspace: str | None, override: str | None = None) -> bool:
        """Returns whether the caller can use a location; `override` is the root of the workspace's own, where it has one."""
        return all(
            (parts := parts_of(form)) is not None and self.has(parts, workspace, override)
            # Some stores decode a location, others do not.
            for form in {location, decoded(location)}
        )

    def has(self, parts: Parts, workspace: str | None, override: str | None) -> bool:
        scheme, host, path = parts
        if scheme in RESOLVED:
            return host == ""
        if scheme == PROXIED:
            # The server uses only the path; other clients use the host as well.
            return host == "" and self.is_of(path, workspace)
        if override is not None and (own := parts_of(override)) is not None and is_below(parts, own):
            return True
        return any(is_below(parts, root) and self.is_of(path[len(root[2]) :], workspace) for root in self.roots)

    def is_of(self, path: Sequence[str], workspace: str | None) -> bool:
        """Whether a path below a root is of this workspace. The default workspace has no separate folder."""
        if not self.has_workspaces or workspace is None:
            return True
        if workspace == "default" and path[:1] != ["workspaces"]:
            return True
        return list(path[:2]) == ["workspaces", workspace]


def decoded(location: str) -> str:
    for _ in range(8):
        location, before = unquote(location), location
        if location == before:
            break
    return location


def parts_of(location: str) -> Parts | None:
    """Scheme, host and path of a location. None if it can be read in more than one way."""
    if AMBIGUOUS.search(location):
        return None
    try:
        parsed = urlsplit(location)
    except ValueError:
        return None
    # Some code compares the scheme case-sensitively.
    if not location.startswith(parsed.scheme):
        return None
    scheme = parsed.scheme
    path = [part for part in parsed.path.split("/") if part != ""]
    if any(part in (".", "..") for part in path):
        return None
    if "@" in parsed.netloc and not (scheme in WITH_CONTAINER and CONTAINER.fullmatch(parsed.netloc)):
        return None
    if scheme not in RESOLVED and (parsed.query or parsed.fragment or location.endswith(("?", "#"))):
        return None
    if scheme not in ("", "file") or parsed.netloc:
        return scheme, parsed.netloc, path
    # A relative path is below the working directory, where no artifacts are.
    return ("file", "", path) if parsed.path.startswith("/") else None


def is_below(parts: Parts, root: Parts) -> bool:
    return parts[:2] == root[:2] and parts[2][: len(root[2])] == root[2]


def sent_in(message: Any) -> Iterator[tuple[str, str]]:
    """The locations in a message of MLflow's API, each with the name of its field."""
    name = message.DESCRIPTOR.full_name
    for field in FIELDS.get(name, ()):
        value: Any = message
        for part in field.split("."):
            value = getattr(value, part)
        if value:
            yield field, value
    if name in TAGGED:
        yield from tags_in(message)


def tags_in(message: Any) -> Iterator[tuple[str, str]]:
    if getattr(message, "key", None) in TAGS:
        yield message.key, message.value
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is None:
                yield from ((key, each) for key, each in value.items() if key in TAGS)
        elif isinstance(value, Sequence) or hasattr(value, "add"):
            for each in value:
                yield from tags_in(each)
        else:
            yield from tags_in(value)


def override_of(workspace: str | None) -> str | None:
    """The artifact root that a workspace has for itself, by the workspace store."""
    if workspace is None:
        return None
    try:
        root, is_shared = handlers._get_workspace_store().resolve_artifact_root(None, workspace)
    except MlflowException:
        return None
    return None if is_shared else root


def of_this_server(extra: Sequence[str]) -> tuple[Roots, Callable[[], str | None]]:
    from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES

    has_workspaces = bool(MLFLOW_ENABLE_WORKSPACES.get())
    own = [os.environ.get(ARTIFACT_ROOT_ENV_VAR), os.environ.get(ARTIFACTS_DESTINATION_ENV_VAR)]
    roots = Roots([*(root for root in own if root), *extra], has_workspaces=has_workspaces)
    return roots, get_request_workspace if has_workspaces else lambda: None


def check_message(roots: Roots, workspace: str | None, message: Any) -> None:
    """Raises an exception that MLflow answers with 400 if a location in the message is not allowed for the caller."""
    is_version = message.DESCRIPTOR.full_name == "mlflow.CreateModelVersion"
    for field, location in sent_in(message):
        if is_version and location in PLACEHOLDERS:
            continue
        if not roots.permits(location, workspace, override_of(workspace)):
            raise MlflowException(
                f"'{field}' must be a location of mlflow-artifacts:/, runs:/ or models:/, or below the artifact root of this server"
                " and of the workspace of the request.",
                INVALID_PARAMETER_VALUE,
            )


def replace(place: Any, name: str, replacement: Callable[[Any], Any]) -> None:
    original = getattr(place, name, None)
    if not callable(original):
        raise RuntimeError(f"This MLflow has no {name} in {place!r}. Locations that clients send would not be checked.")
    setattr(place, name, functools.wraps(original)(replacement(original)))


def install(extra: Sequence[str] = ()) -> None:
    """Installs the checks in MLflow: after it has parsed a request, and where it opens an artifact store."""
    roots, workspace_of = of_this_server(extra)

    def checked(original: Callable[..., Any]) -> Callable[..., Any]:
        def parse(*args: Any, **named: Any) -> Any:
            found = original(*args, **named)
            check_message(roots, workspace_of(), found[0] if isinstance(found, tuple) else found)
            return found

        return parse

    def opened(original: Callable[..., Any]) -> Callable[..., Any]:
        def open_store(artifact_uri: str, *args: Any, **named: Any) -> Any:
            workspace = workspace_of()
            if not of_the_server.get() and not roots.permits(str(artifact_uri), workspace, override_of(workspace)):
                raise MlflowException(
                    "The artifacts are at a location that is not below the artifact root of this server and of the workspace of the"
                    " request. An administrator can allow it in spec.artifactStore.additionalLocations of the MlflowServer.",
                    PERMISSION_DENIED,
                )
            return original(artifact_uri, *args, **named)

        return open_store

    def trusted(original: Callable[..., Any]) -> Callable[..., Any]:
        def destination(*args: Any, **named: Any) -> Any:
            token = of_the_server.set(True)
            try:
                return original(*args, **named)
            finally:
                of_the_server.reset(token)

        return destination

    def of_the_trace(original: Callable[..., str]) -> Callable[..., str]:
        def location_of(trace_info: Any) -> str:
            location = original(trace_info)
            if trace_info.trace_id not in (parts_of(location) or ("", "", []))[2]:
                raise MlflowException(
                    "The artifact location of this trace does not belong to the trace.", PERMISSION_DENIED
                )
            return location

        return location_of

    replace(handlers, "get_artifact_uri_for_trace", of_the_trace)
    replace(handlers, "get_archive_uri_for_trace", of_the_trace)
    replace(sqlalchemy_store, "get_archive_uri_for_trace", of_the_trace)
    replace(handlers, "_get_request_message", checked)
    replace(handlers, "_get_workspace_request_message", checked)
    replace(handlers, "_get_artifact_repo_mlflow_artifacts", trusted)
    if hasattr(handlers, "_is_mlflow_artifact_source"):
        replace(
            handlers,
            "_is_mlflow_artifact_source",
            lambda original: lambda source: original(source) or is_in_a_store(source),
        )
    else:
        # MLflow before 3.17 does not check whether the artifacts of a store are those of the run or model that the request names.
        store = handlers._get_tracking_store
        replace(handlers, "_validate_source_run", within("runs", lambda run: store().get_run(run).info.artifact_uri))
        replace(
            handlers,
            "_validate_source_model",
            within("models", lambda model: store().get_logged_model(model).artifact_location),
        )
    replace(artifact_repository_registry._artifact_repository_registry, "get_artifact_repository", opened)


def names_another(source: str, scheme: str, identifier: str) -> bool:
    """Whether a source names a run or a logged model, and not the one of `identifier`. `models:/name/version` and `models:/name@alias` name neither."""
    parts = parts_of(decoded(source))
    if parts is None or parts[0] not in RESOLVED:
        return parts is None
    first = parts[2][0] if parts[2] else ""
    if parts[0] == "models" and (len(parts[2]) != 1 or "@" in first):
        return False
    return parts[0] != scheme or not identifier or first != identifier


def within(scheme: str, root_of: Callable[[str], str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """MLflow's validation of a source, which then must name, or be below the location of, the run or model that the request names."""

    def wrapped(original: Callable[..., None]) -> Callable[..., None]:
        def validate(source: str, identifier: str) -> None:
            original(source, identifier)
            if is_in_a_store(source):
                parts, root = parts_of(decoded(source)), parts_of(root_of(identifier)) if identifier else None
                is_another = parts is None or root is None or not is_below(parts, root)
            else:
                is_another = urlsplit(source).scheme in RESOLVED and names_another(source, scheme, identifier)
            if is_another:
                raise MlflowException(
                    f"Invalid model version source: '{source}'. It must be an artifact of the run or model that the request names.",
                    INVALID_PARAMETER_VALUE,
                )

        return validate

    return wrapped


def is_in_a_store(source: str) -> bool:
    """A source that must be an artifact of the run or model that the request names, as MLflow requires for its own scheme."""
    return urlsplit(source).scheme not in ("", "file", *RESOLVED)

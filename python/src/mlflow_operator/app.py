"""The application that `mlflow server --app-name` runs: the one of the authentication method, wrapped in the operator's middleware."""

from __future__ import annotations

import gc
import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import gettempdir
from threading import Thread
from typing import Any

import mlflow_late_imports

from . import accepted_keys
from .bodies import TooLarge, decompressed
from .guard import Guard, Limits, handled_without_credentials
from .listen import all_addresses
from .methods import method_of
from .prefix import Prefixed
from .preflights import Preflights
from .protocol import Application
from .request_metrics import Counted, Listener, Numbers
from .route_misses import cache_misses
from .routes import is_assistant, is_gateway, segments

#: By the name of the method. MLflow finds other applications by their entry point.
APPLICATIONS = {
    "plain": "mlflow.server.fastapi_app:app",
    "oidc-auth": "mlflow_operator.oidc_membership:app",
    "kubernetes-identity": "mlflow_operator.kubernetes_identity:create_app",
}


def application_named(name: str) -> Any:
    """Returns the application of an authentication method, as MLflow finds it without this package."""
    places = [entry.value for entry in entry_points(group="mlflow.app") if entry.name == name]
    others = [place for place in places if not place.startswith(f"{__package__}.")]
    module, _, attribute = (APPLICATIONS.get(name) or others[0]).partition(":")
    application = getattr(import_module(module), attribute)
    return application() if inspect.isfunction(application) else application


def create_app() -> Application:
    """What uvicorn runs.

    Modules and routes stay until the process ends: a garbage collection that inspects them finds nothing. Without collections the start
    takes a sixth less time, and later ones do not inspect what exists now.
    """
    gc.disable()
    # With several workers, each is a process that begins here.
    mlflow_late_imports.install()
    application = wrapped_application()
    gc.freeze()
    gc.enable()
    return application


def wrapped_application() -> Application:
    """Returns the application of the authentication method in the middleware that the settings need."""
    settings = json.loads(Path(__file__).with_name("settings.json").read_text(encoding="utf-8"))
    name = settings["application"]
    limits = Limits(settings["maxRequestBodyBytes"], settings["maxUploadBytes"])
    import_module("mlflow_operator.locations").install(settings["additionalLocations"])
    accepted_keys.install()
    accepted_keys.install_sessions(name)
    limit_decompression(limits.request)
    memory = import_module("mlflow_operator.users").install() if name == "basic-auth" else None
    if name.startswith("kubernetes-"):
        import_module("mlflow_operator.access_reviews").install()
    inner = application_named(name)
    if settings["access"] is not None:
        add_grants(settings["access"], memory)
    check_closed(inner)
    strip_credentials(inner, everywhere=name == "plain")
    cache_misses(innermost(inner).routes)
    application: Application = Guard(inner, method_of(name), limits, gateway=settings["aiGateway"])
    if (prefix := settings["prefix"]) is not None:
        if name == "oidc-auth":
            import_module("mlflow_operator.oidc_prefix").install(innermost(inner))
        application = Prefixed(application, prefix["path"], prefix["host"], prefix["isProxied"])
    if origins := settings["corsOrigins"]:
        application = Preflights(application, origins, is_proxied=settings["isProxied"])
    if (port := settings["metricsPort"]) is not None:
        application = counted(application, port, "" if prefix is None else prefix["path"])
    return application


def add_grants(access: dict[str, Any], memory: Any) -> None:
    """Adds the grants of spec.access to the permissions of MLflow, or of its plugin. They are read before the first request."""
    from mlflow.environment_variables import MLFLOW_ENABLE_WORKSPACES

    from .grants_file import GrantsFile

    if MLFLOW_ENABLE_WORKSPACES.get():
        raise RuntimeError("spec.access would grant permissions in each workspace: its patterns do not name one.")
    path = Path(access["file"])
    if memory is None:
        import_module("mlflow_operator.grants_oidc").install(GrantsFile(path))
        return
    directory = import_module(access["groups"]) if access["groups"] else None
    keys = () if directory is None else (directory.user_key, directory.group_key)
    groups_of = (lambda _: frozenset()) if directory is None else directory.groups_of
    import_module("mlflow_operator.grants_basic").install(GrantsFile(path, *keys), groups_of, memory)


def counted(application: Application, port: int, prefix: str) -> Application:
    """Counts requests, and serves the metrics on a separate port, from a thread: a busy event loop must not delay them."""
    from mlflow.version import VERSION

    directory = Path(gettempdir(), "mlflow-metrics")
    numbers = Numbers(directory)
    Thread(target=Listener(directory, VERSION).run, args=(all_addresses(), port), daemon=True, name="metrics").start()
    return Counted(application, numbers, prefix)


def innermost(application: Any) -> Any:
    """Returns FastAPI's application, which the middleware of this package wraps."""
    while not hasattr(application, "user_middleware"):
        application = application.application
    return application


def routes_of(application: Any) -> Iterator[Any]:
    """Yields FastAPI's routes, including those of included routers. The last one is Flask."""
    places = [*innermost(application).routes]
    while places:
        route = places.pop(0)
        if (router := getattr(route, "original_router", None)) is not None:
            places = [*router.routes, *places]
        else:
            yield route


def module_of(route: Any) -> str:
    """Returns the module that handles a route; empty for Flask."""
    return getattr(getattr(route, "endpoint", None), "__module__", "")


def strip_credentials(application: Any, *, everywhere: bool) -> None:
    """Removes credentials before a handler of MLflow runs, after authentication.

    Not for Flask's handlers with an authentication method, because it authenticates within Flask.
    """
    for route in routes_of(application):
        module = module_of(route)
        if everywhere or (module.startswith("mlflow.server.") and not module.startswith("mlflow.server.auth")):
            route.handle = handled_without_credentials(route.handle)


def check_closed(application: Any) -> None:
    """Raises if a route of the Assistant or the AI gateway has a path that the middleware does not recognize."""
    for route in routes_of(application):
        parts, module, path = segments(getattr(route, "path", "")), module_of(route), route.path
        if module.startswith("mlflow.server.assistant") and not is_assistant(parts):
            raise RuntimeError(f"MLflow also serves its Assistant at {path}, which this operator does not disable.")
        if module == "mlflow.server.gateway_api" and not is_gateway(parts):
            raise RuntimeError(f"MLflow also serves its AI gateway at {path}, which this operator does not disable.")


def limit_decompression(limit: int) -> None:
    """Limits the decompressed size of traces to that of an uncompressed body."""
    from fastapi import HTTPException
    from mlflow.server import otel_api

    if not callable(getattr(otel_api, "decompress_otlp_body", None)):
        raise RuntimeError("This MLflow decompresses traces in another place. Their size would not be limited.")

    def bounded(body: bytes, encoding: str) -> bytes:
        if encoding not in ("gzip", "deflate"):
            raise HTTPException(400, f"Unsupported Content-Encoding: {encoding}")
        try:
            return decompressed(body, encoding, limit)
        except TooLarge:
            raise HTTPException(413, f"The body has more than {limit} bytes when it is decompressed") from None
        except ValueError:
            raise HTTPException(400, f"Failed to decompress {encoding} payload") from None

    otel_api.decompress_otlp_body = bounded

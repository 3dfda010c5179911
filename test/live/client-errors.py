"""Prints the errors of MLflow's client with wrong credentials: tries each of the environments in the argument, which is JSON; null removes a
variable.

The cookie is attached by a header provider, as in guides for MLflow behind a login. Prints the result of each as JSON in the last
line: `in`, or the error.
"""

import json
import os
import sys

import mlflow
from mlflow.tracking.request_header.abstract_request_header_provider import RequestHeaderProvider
from mlflow.tracking.request_header.registry import _request_header_provider_registry


class SessionCookie(RequestHeaderProvider):
    def in_context(self) -> bool:
        return "COOKIE" in os.environ

    def request_headers(self) -> dict[str, str]:
        return {"Cookie": os.environ["COOKIE"]}


_request_header_provider_registry.register(SessionCookie)
# The client does not retry rejected requests; the network can drop a connection while pods start and end.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "3"
found = {}
given = dict(os.environ)
for name, environment in json.loads(sys.argv[1]).items():
    os.environ.clear()
    os.environ.update({key: value for key, value in {**given, **environment}.items() if value is not None})
    try:
        mlflow.MlflowClient().search_experiments(max_results=1)
        found[name] = "in"
    except Exception as error:  # every error is the text that a user reads
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))

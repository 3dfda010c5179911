"""What MLflow's own client says where a credential is wrong: tries each of the environments in the argument, which is JSON; null takes a
variable away.

The cookie is attached by a header provider, as guides for MLflow behind a login show it. Prints, as JSON in the last line, what
came of each: `in`, or the error.
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
# Refusals are not among what it tries again; the network may drop a connection while pods come and go.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "3"
found = {}
given = dict(os.environ)
for name, environment in json.loads(sys.argv[1]).items():
    os.environ.clear()
    os.environ.update({key: value for key, value in {**given, **environment}.items() if value is not None})
    try:
        mlflow.MlflowClient().search_experiments(max_results=1)
        found[name] = "in"
    except Exception as error:  # whatever it is, it is what a user reads
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))

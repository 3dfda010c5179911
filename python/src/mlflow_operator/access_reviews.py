"""Sends access reviews of mlflow-kubernetes-plugins (2.1.0) outside the event loop, and equal ones once.

The plugin sends reviews in the event loop, so while the API server does not answer, the process answers no request at all. Here the event
loop only reads the plugin's cache. If a result is missing, a thread sends the review, all requests that need the same review wait for
it, and then the plugin decides again. The plugin's cache and its time to live (60 seconds) are unchanged. A `question` in this module is
what identifies a review: the caller, verb, resource, namespace and name. If a release of the plugin no longer has the functions that are
replaced here, the server does not start.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from importlib import import_module
from typing import Any

#: How many reviews are sent concurrently. Others wait; requests whose results are cached do not.
REVIEWS_AT_ONCE = 32

#: How long the API server may take to connect, and to answer.
TIMEOUT_SECONDS = 10

UNAVAILABLE = "The API server does not answer access reviews, so this request is not allowed. Send it again later."


class Unanswered(BaseException):
    """The result of a review is not cached. No `except Exception` of the plugin must handle it."""

    def __init__(self, question: Hashable, ask: Callable[[], bool]) -> None:
        super().__init__()
        self.question = question
        self.ask = ask


#: The results that one request has waited for, by question. None: in a thread, which can wait.
answers: ContextVar[dict[Hashable, bool | Exception] | None] = ContextVar("access_reviews", default=None)


class SingleFlight:
    """Concurrent calls with the same key become one call, and all get its result or exception."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Any]] = {}

    def run(self, key: Hashable, call: Callable[[], Any]) -> Any:
        with self._lock:
            running = self._running.get(key)
            if running is None:
                own: Future[Any] = Future()
                self._running[key] = own
        if running is not None:
            return running.result()
        try:
            result = call()
        except BaseException as error:
            own.set_exception(error)
            raise
        else:
            own.set_result(result)
            return result
        finally:
            with self._lock:
                del self._running[key]


class Reviews:
    """Sends reviews in separate threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(REVIEWS_AT_ONCE, thread_name_prefix="access-review")
        self._flights = SingleFlight()
        self._waiting: dict[Hashable, asyncio.Future[bool | Exception]] = {}

    def answer(self, question: Hashable, ask: Callable[[], bool]) -> bool:
        return bool(self._flights.run(question, ask))

    async def awaited(self, question: Hashable, ask: Callable[[], bool]) -> bool | Exception:
        """The result, or the exception that the plugin raises instead. All requests that wait for one review use one thread."""
        waiting = self._waiting.get(question)
        if waiting is None:
            waiting = asyncio.get_running_loop().run_in_executor(self._threads, self._outcome, question, ask)
            self._waiting[question] = waiting
            waiting.add_done_callback(lambda _: self._waiting.pop(question, None))
        # A client that disconnects must not cancel the review of the others.
        return await asyncio.shield(waiting)

    def _outcome(self, question: Hashable, ask: Callable[[], bool]) -> bool | Exception:
        try:
            return self.answer(question, ask)
        except Exception as error:
            return error


def reviewed(
    is_allowed: Callable[..., bool],
    effective_name: Callable[..., str | None],
    reviews: Reviews,
    unavailable: Callable[[Exception], Exception | None],
) -> Callable[..., bool]:
    """The plugin's decision by one review. In the event loop it raises Unanswered if the plugin's cache does not have the result."""

    @functools.wraps(is_allowed)
    def allowed(
        self: Any,
        identity: Any,
        resource_type: str,
        verb: str,
        namespace: str,
        subresource: str | None = None,
        resource_name: str | None = None,
    ) -> bool:
        # The same key as that of the plugin's cache: different rules can need the same review.
        name = effective_name(verb, subresource, resource_name)
        question = (id(self), identity, resource_type.replace("_", ""), verb, namespace, subresource, name)

        def ask() -> bool:
            try:
                return is_allowed(self, identity, resource_type, verb, namespace, subresource, resource_name)
            except Exception as error:
                if (other := unavailable(error)) is None:
                    raise
                raise other from error

        known = answers.get()
        if known is None:
            return reviews.answer(question, ask)
        if (answer := known.get(question)) is not None:
            if isinstance(answer, Exception):
                raise answer
            return answer
        try:
            return ask()
        except NotCached:
            raise Unanswered(question, ask) from None

    return allowed


class NotCached(BaseException):
    """A review that the event loop must not send."""


def sent_by_threads(send: Callable[..., bool]) -> Callable[..., bool]:
    @functools.wraps(send)
    def sent(*args: Any, **named: Any) -> bool:
        if answers.get() is not None:
            raise NotCached
        return send(*args, **named)

    return sent


def without_waiting(decide: Callable[..., Awaitable[Any]], reviews: Reviews) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The same decision, made again after each review that it needs. Each result is used until it is complete, also if the cache loses it."""

    @functools.wraps(decide)
    async def decided(*args: Any, **named: Any) -> Any:
        known: dict[Hashable, bool | Exception] = {}
        while True:
            token = answers.set(known)
            try:
                return await decide(*args, **named)
            except Unanswered as unanswered:
                question, ask = unanswered.question, unanswered.ask
            finally:
                answers.reset(token)
            known[question] = await reviews.awaited(question, ask)

    return decided


def answered(filtered: Callable[..., Awaitable[None]], failure: type[Any]) -> Callable[..., Coroutine[Any, Any, None]]:
    """The filters of a response, whose failure replaces it. The plugin answers with 500."""

    @functools.wraps(filtered)
    async def replaced(self: Any, response: Any, **named: Any) -> None:
        try:
            await filtered(self, response, **named)
        except failure as error:
            response.status_code = error.get_http_status_code()
            response.headers["content-type"] = "application/json"
            self._replace_json_response_payload(
                response, {"error": {"code": error.error_code, "message": error.message}}
            )

    return replaced


def with_timeout(api: Any) -> Any:
    """The Kubernetes client's API of access reviews, with a timeout; it has none by default."""

    def limited(name: str) -> Callable[..., Any]:
        create = getattr(api, name)

        @functools.wraps(create)
        def created(*args: Any, **named: Any) -> Any:
            return create(*args, **{"_request_timeout": TIMEOUT_SECONDS, **named})

        return created

    names = ("create_self_subject_access_review", "create_subject_access_review")
    return type("AccessReviews", (api,), {name: limited(name) for name in names})


#: What is replaced, by module of the plugin.
REPLACED = {
    "authorizer": "AuthorizationV1Api _effective_resource_name_for_access_review",
    "authorizer.KubernetesAuthorizer": "is_allowed _submit_self_subject_access_review _submit_subject_access_review",
    "middleware": "_authorize_request_async",
    "middleware.KubernetesAuthMiddleware": "_apply_response_authorization_filters _replace_json_response_payload",
}

IS_ALLOWED = ["self", "identity", "resource_type", "verb", "namespace", "subresource", "resource_name"]


def install() -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE
    from urllib3.exceptions import HTTPError

    def unavailable(error: Exception) -> Exception | None:
        return (
            MlflowException(UNAVAILABLE, error_code=TEMPORARILY_UNAVAILABLE) if isinstance(error, HTTPError) else None
        )

    authorizer: Any = import_module("mlflow_kubernetes_plugins.auth.authorizer")
    middleware: Any = import_module("mlflow_kubernetes_plugins.auth.middleware")
    for place, names in REPLACED.items():
        module, _, owner = place.partition(".")
        holder = {"authorizer": authorizer, "middleware": middleware}[module]
        for name in names.split():
            if not callable(getattr(getattr(holder, owner, None) if owner else holder, name, None)):
                raise RuntimeError(
                    f"This mlflow-kubernetes-plugins has no {place}.{name}. Access reviews would block all other requests."
                )
    kind = authorizer.KubernetesAuthorizer
    if list(inspect.signature(kind.is_allowed).parameters) != IS_ALLOWED:
        raise RuntimeError(
            "This mlflow-kubernetes-plugins sends other access reviews. Different ones could get the same result."
        )
    reviews = Reviews()
    authorizer.AuthorizationV1Api = with_timeout(authorizer.AuthorizationV1Api)
    kind._submit_self_subject_access_review = sent_by_threads(kind._submit_self_subject_access_review)
    kind._submit_subject_access_review = sent_by_threads(kind._submit_subject_access_review)
    kind.is_allowed = reviewed(
        kind.is_allowed, authorizer._effective_resource_name_for_access_review, reviews, unavailable
    )
    middleware._authorize_request_async = without_waiting(middleware._authorize_request_async, reviews)
    filters = middleware.KubernetesAuthMiddleware
    filters._apply_response_authorization_filters = answered(
        without_waiting(filters._apply_response_authorization_filters, reviews), MlflowException
    )

"""The names of experiments and models as they are stored, which grants by name need, and who can change them."""

from __future__ import annotations

import functools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from mlflow.server.handlers import _get_model_registry_store, _get_tracking_store
from mlflow.store.model_registry.dbmodels.models import SqlRegisteredModel
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as ModelStore
from mlflow.store.tracking.dbmodels.models import SqlExperiment
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore

from .grants import EXPERIMENT, MODEL
from .grants_file import GrantsFile

#: How long a new name given by another process can have no effect.
NAME_SECONDS = 5.0
NAMES = 16384
#: Databases limit the parameters of a statement.
BATCH = 500
#: Each database can compare numbers of so many digits with its ids.
DIGITS = 18
#: Databases that find a model only by exactly its name. MySQL and MariaDB ignore case, accents and trailing spaces.
EXACT = ("sqlite", "postgresql")

RENAMED = (
    "The name {new!r} would change who has access by spec.access of the MlflowServer, so renaming {old!r} to it requires "
    "MANAGE permission. Ask a user who has it, or an administrator."
)

Rows = Iterable[tuple[Any, str]]


class Cached:
    """Names by key, cached. Only the names of resources that exist are."""

    def __init__(self, read: Callable[[list[str]], Rows], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self.now = clock
        self._lock = threading.Lock()
        self._names: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def get(self, key: str) -> str | None:
        if (known := self._known(key)) is None:
            self.load([key])
            known = self._known(key)
        return known

    def load(self, keys: Iterable[str]) -> None:
        """Reads the names that are not cached, with few statements."""
        missing = [each for each in keys if self._known(each) is None]
        for start in range(0, len(missing), BATCH):
            read_at = self.now()
            self.put(self._read(missing[start : start + BATCH]), read_at)

    def put(self, names: Rows, read_at: float) -> None:
        with self._lock:
            for key, name in names:
                self._names[str(key)] = (read_at + NAME_SECONDS, name)
                self._names.move_to_end(str(key))
            while len(self._names) > NAMES:
                self._names.popitem(last=False)

    def forget(self, key: str) -> None:
        with self._lock:
            self._names.pop(key, None)

    def _known(self, key: str) -> str | None:
        with self._lock:
            until, name = self._names.get(key, (0.0, ""))
        return name if self.now() < until else None


class Names(NamedTuple):
    experiments: Cached
    models: Cached

    def model(self, name: str) -> str | None:
        """Returns the name of a model that a request names; None if the database finds another name for it."""
        return name if _get_model_registry_store().db_type in EXACT else self.models.get(name)


def stored_experiments(identifiers: list[str]) -> Rows:
    """Returns ids and names."""
    numbers = [int(each) for each in identifiers if each.isascii() and each.isdecimal() and len(each) <= DIGITS]
    # The primary: a replica could still have a previous name.
    with _get_tracking_store().ManagedSessionMaker(read_only=False) as session:
        rows = session.query(SqlExperiment.experiment_id, SqlExperiment.name)
        return [(each[0], each[1]) for each in rows.filter(SqlExperiment.experiment_id.in_(numbers))]


def stored_models(names: list[str]) -> Rows:
    """Returns the names that the database finds, twice."""
    with _get_model_registry_store().ManagedSessionMaker(read_only=False) as session:
        rows = session.query(SqlRegisteredModel.name).filter(SqlRegisteredModel.name.in_(names))
        return [(each[0], each[0]) for each in rows]


def install(file: GrantsFile, may_rename: Callable[[str, str], bool], has_renamed: Callable[[], Any]) -> Names:
    """Returns the stored names. Also rejects a rename that changes grants, unless `may_rename` allows it for the kind and the id or name."""
    names = Names(Cached(stored_experiments), Cached(stored_models))
    rename, rename_model = TrackingStore.rename_experiment, ModelStore.rename_registered_model

    def check(kind: str, key: str, found: Rows, new: Any) -> None:
        for _, old in found:
            if not isinstance(new, str) or not file.grants().is_granted_differently(kind, old, new):
                continue
            if not may_rename(kind, old if kind == MODEL else key):
                raise MlflowException(RENAMED.format(old=old, new=new), PERMISSION_DENIED)

    @functools.wraps(rename)
    def renamed(self: Any, experiment_id: Any, new_name: Any) -> Any:
        key = str(experiment_id)
        check(EXPERIMENT, key, stored_experiments([key]), new_name)
        try:
            return rename(self, experiment_id, new_name)
        finally:
            names.experiments.forget(key)
            has_renamed()

    @functools.wraps(rename_model)
    def renamed_model(self: Any, name: Any, new_name: Any) -> Any:
        check(MODEL, name, stored_models([name]), new_name)
        try:
            return rename_model(self, name, new_name)
        finally:
            names.models.forget(name)
            has_renamed()

    TrackingStore.rename_experiment = renamed
    ModelStore.rename_registered_model = renamed_model
    cache_rows(TrackingStore, "search_experiments", names.experiments, "experiment_id")
    for search in ("search_registered_models", "search_model_versions"):
        cache_rows(ModelStore, search, names.models, "name")
    return names


def cache_rows(store: Any, method: str, names: Cached, key: str) -> None:
    """Caches the names in the rows of a list: without it each is read again when the list is filtered."""
    search = getattr(store, method)

    @functools.wraps(search)
    def searched(self: Any, *args: Any, **named: Any) -> Any:
        read_at = names.now()
        found = search(self, *args, **named)
        names.put([(getattr(each, key), each.name) for each in found], read_at)
        return found

    setattr(store, method, searched)

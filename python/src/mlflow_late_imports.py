"""Imports libraries when they are used, instead of when a module names them.

MLflow and its plugins import pandas, SciPy, pyarrow and every class of the Kubernetes API for annotations, for isinstance(), and for functions that a
server seldom or never calls. Together they are about a fifth of the CPU time and of the memory of a start (docs/decisions/0063-late-imports.md).
"""

from __future__ import annotations

import gc
import importlib.metadata
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType, new_class
from typing import Any

#: Modules that are imported late. An import of another submodule of one of them executes it, as it would without this.
MODULES = frozenset({"pandas", "pyarrow", "pyarrow.fs", "scipy", "scipy.sparse"})

#: Packages whose submodules are imported late.
PACKAGES = frozenset({"kubernetes.client.api", "kubernetes.client.models"})

#: Other threads wait while one executes a module.
EXECUTION = threading.RLock()


class Executing(threading.local):
    """What this thread executes. It needs the genuine classes, for instance to derive others from them."""

    modules: tuple[ModuleType, ...] = ()


executing = Executing()


class LateModule(ModuleType):
    """A module that has not been executed. Each public name is a LateClass."""

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("__") and self not in executing.modules:
            with EXECUTION:
                pass  # Another thread may be executing the module: parts of it would be missing.
        return ModuleType.__getattribute__(self, name)

    def __getattr__(self, name: str) -> Any:
        if name == "__path__" or self in executing.modules:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if name.startswith("_") or executing.modules:
            execute(self)
            return getattr(self, name)
        return LateClass(name, (), {"_module": self})


class LateClass(type):
    """Stands for a class or function of a LateModule, and executes the module when it is used.

    isinstance() and issubclass() do not: before that, nothing can be an instance.
    """

    _module: ModuleType

    def __new__(cls, name: str, bases: tuple[type, ...], content: dict[str, Any], **options: Any) -> Any:
        """A class that is derived from one that this stands for is derived from the genuine one."""
        if not bases:
            return super().__new__(cls, name, bases, content)
        genuine = [base._actual() if isinstance(base, LateClass) else base for base in bases]
        return new_class(name, tuple(genuine), options, lambda namespace: namespace.update(content))

    def _actual(cls) -> Any:
        execute(cls._module)
        return getattr(cls._module, cls.__name__)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(cls._actual(), name)

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        return cls._actual()(*arguments, **options)

    def __instancecheck__(cls, instance: object) -> bool:
        return not isinstance(cls._module, LateModule) and isinstance(instance, cls._actual())

    def __subclasscheck__(cls, other: type) -> bool:
        return not isinstance(cls._module, LateModule) and issubclass(other, cls._actual())


def execute(module: ModuleType) -> None:
    """Executes a module, and before that its package, in place: modules that have imported it see its content."""
    with EXECUTION:
        if not isinstance(module, LateModule) or module in executing.modules:
            return
        if (package := sys.modules.get(module.__name__.rpartition(".")[0])) is not None:
            execute(package)
        before = executing.modules
        executing.modules = (*before, module)
        try:
            module.__spec__.loader.execute(module)  # type: ignore[union-attr]
        finally:
            executing.modules = before
        module.__class__ = ModuleType  # type: ignore[assignment]


class LateLoader(Loader):
    """Makes a LateModule of the module that an import statement has created."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """The import statement calls it."""
        module.__class__ = LateModule

    def execute(self, module: ModuleType) -> None:
        self._loader.exec_module(module)


class LateFinder(MetaPathFinder):
    """Finds the modules of the lists above. Those that are imported while one of them is executed are imported as usual."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        package = name.rpartition(".")[0]
        if executing.modules or (name not in MODULES and package not in PACKAGES):
            if package in MODULES and (parent := sys.modules.get(package)) is not None:
                execute(parent)
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LateLoader(spec.loader)
        return spec


def read_entry_points_once() -> None:
    """MLflow and its libraries ask for those of 15 groups. Each time Python reads the files of all installed packages, which never change."""
    entry_points = importlib.metadata.entry_points()
    importlib.metadata.entry_points = entry_points.select


def install() -> None:
    """Must be called before the first import of MLflow. The next calls do nothing."""
    if not any(isinstance(finder, LateFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, LateFinder())
        read_entry_points_once()


def prepare() -> None:
    """For programs that end soon: they need not collect garbage among the objects of MLflow, which are never freed. It is a sixth of their time."""
    gc.set_threshold(100_000, 20, 20)
    install()

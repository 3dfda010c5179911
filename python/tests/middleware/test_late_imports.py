"""Late imports, in separate processes: of packages that these tests write, and of the libraries of MLflow's image where they are installed."""

import subprocess
import sys
import tempfile
import textwrap
import unittest
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"

#: `pandas` stands for itself, and kubernetes.client.models for a package whose submodules are late.
PACKAGES = {
    "pandas/__init__.py": """
        import sys
        sys.stdout.write("executed pandas\\n")
        __version__ = "3"
        from pandas.frame import DataFrame
        def isna(value):
            return value is None
        """,
    "pandas/frame.py": """
        import pandas
        class DataFrame:
            @classmethod
            def empty(cls):
                return cls()
        """,
    "pandas/errors.py": "class ParserError(Exception): ...",
    "kubernetes/__init__.py": "",
    "kubernetes/client/__init__.py": """
        from kubernetes.client.models.pod import Pod
        from kubernetes.client.models.spec import Spec
        """,
    "kubernetes/client/models/__init__.py": """
        from kubernetes.client.models.pod import Pod
        from kubernetes.client.models.spec import Spec
        """,
    "kubernetes/client/models/spec.py": """
        import sys
        sys.stdout.write("executed spec\\n")
        class Spec: ...
        """,
    "kubernetes/client/models/pod.py": """
        import sys
        from kubernetes.client.models.spec import Spec
        sys.stdout.write("executed pod\\n")
        class Pod(Spec):
            fields = {"spec": Spec}
        """,
}


class LateImports(unittest.TestCase):
    def run_program(self, program: str, packages: Mapping[str, str] = PACKAGES) -> list[str]:
        """Returns the lines that the program writes after the late imports are installed."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in packages.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(textwrap.dedent(text), encoding="utf-8")
            folders = [str(SOURCE), *([folder] if packages else sys.path)]
            install = (
                f"import sys; sys.path[:0] = {folders}; import mlflow_late_imports; mlflow_late_imports.install()\n"
            )
            command = [sys.executable, "-I", "-c", install + textwrap.dedent(program)]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    def test_annotations_and_isinstance_execute_nothing(self) -> None:
        program = """
            from typing import Optional, Union
            import pandas as pd
            from pandas import DataFrame
            from kubernetes import client
            def function(frame: pd.DataFrame | None, other: Optional[DataFrame]) -> Union[pd.Series, int]: ...
            print(isinstance(1, pd.DataFrame), isinstance(1, DataFrame), issubclass(int, client.Pod))
        """
        self.assertEqual(self.run_program(program), ["False False False"])

    def test_a_use_executes_the_module_once(self) -> None:
        program = """
            import pandas as pd
            from pandas import DataFrame, isna
            print("imported")
            frame = DataFrame()
            print(isinstance(frame, DataFrame), isinstance(frame, pd.DataFrame), issubclass(type(frame), DataFrame))
            print(isna(None), pd.isna(1), type(DataFrame.empty()) is pd.DataFrame)
        """
        self.assertEqual(
            self.run_program(program), ["imported", "executed pandas", "True True True", "True False True"]
        )

    def test_private_names_and_submodules_execute_the_module(self) -> None:
        self.assertEqual(
            self.run_program("import pandas\nprint('imported', pandas.__version__)"), ["executed pandas", "imported 3"]
        )
        program = "import pandas\nimport pandas.errors\nprint(pandas.errors.ParserError.__name__)"
        self.assertEqual(self.run_program(program), ["executed pandas", "ParserError"])

    def test_a_missing_name_is_missing_after_the_execution(self) -> None:
        program = """
            import pandas
            missing = pandas.missing
            try:
                missing()
            except AttributeError as error:
                print(error)
            print(hasattr(pandas, "missing"))
        """
        self.assertEqual(
            self.run_program(program), ["executed pandas", "module 'pandas' has no attribute 'missing'", "False"]
        )

    def test_a_module_that_is_executed_gets_genuine_classes(self) -> None:
        program = """
            from kubernetes import client
            print("imported")
            pod = client.Pod()
            print(isinstance(pod, client.Pod), isinstance(pod, client.Spec), type(pod).__mro__[1].__name__)
            print(getattr(client.models, "Pod").fields["spec"] is sys.modules["kubernetes.client.models.spec"].Spec)
        """
        self.assertEqual(
            self.run_program(program), ["imported", "executed spec", "executed pod", "True True Spec", "True"]
        )

    def test_a_derived_class_is_derived_from_the_genuine_one(self) -> None:
        program = """
            from kubernetes.client import Pod, Spec
            class Own(Pod, list):
                def __init__(self, name):
                    super().__init__()
                    self.name = name
            own = Own("a")
            print(own.name, type(Own) is type, Own.fields["spec"] is type(Spec()), isinstance(own, Pod))
        """
        self.assertEqual(self.run_program(program), ["executed spec", "executed pod", "a True True True"])

    def test_a_library_that_is_not_installed(self) -> None:
        program = """
            sys.path[:] = [path for path in sys.path if "-packages" not in path]
            try:
                import scipy.sparse
            except ImportError as error:
                print(error)
        """
        self.assertEqual(self.run_program(program), ["No module named 'scipy'"])

    def test_threads_wait_for_the_execution(self) -> None:
        program = """
            import threading
            import pandas as pd
            results = []
            threads = [threading.Thread(target=lambda: results.append(pd.isna(None))) for _ in range(20)]
            for thread in threads: thread.start()
            for thread in threads: thread.join(10)
            print(results == [True] * 20)
        """
        self.assertEqual(self.run_program(program), ["executed pandas", "True"])

    def test_entry_points_are_those_of_the_installed_packages(self) -> None:
        program = """
            import importlib.metadata
            names = [each.name for each in importlib.metadata.entry_points(group="console_scripts")]
            found = importlib.metadata.distributions()
            expected = {each.name for d in found for each in d.entry_points if each.group == "console_scripts"}
            print(set(names) == expected)
        """
        self.assertEqual(self.run_program(program), ["True"])

    @unittest.skipIf(find_spec("mlflow") is None, "MLflow is not installed")
    def test_libraries_that_mlflow_names(self) -> None:
        program = """
            import mlflow.server.fastapi_app
            executed = [name for name in ("pandas.core", "pyarrow.lib", "scipy.sparse._csr") if name in sys.modules]
            from mlflow.data import from_pandas
            import pandas
            table = from_pandas(pandas.DataFrame({"a": [1]}))
            from scipy.sparse import csr_matrix
            print(executed, table.profile["num_rows"], csr_matrix((3, 4)).shape)
        """
        self.assertEqual(self.run_program(program, packages={}), ["[] 1 (3, 4)"])

    @unittest.skipIf(find_spec("kubernetes") is None, "the client for Kubernetes is not installed")
    def test_classes_of_the_kubernetes_api(self) -> None:
        program = """
            from kubernetes import client
            models = "kubernetes.client.models."
            executed = [name for name, each in sys.modules.items() if name.startswith(models) and "V1Pod" in vars(each)]
            text = '{"metadata": {"name": "a"}, "spec": {"user": "u"}, "status": {"allowed": true}}'
            review = client.ApiClient().deserialize(text, "V1SubjectAccessReview", "application/json")
            request = client.ApiClient().sanitize_for_serialization(client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec()))
            print(executed, isinstance(review, client.V1SubjectAccessReview), review.status.allowed, review.spec.user, request)
        """
        self.assertEqual(self.run_program(program, packages={}), ["[] True True u {'spec': {}}"])


if __name__ == "__main__":
    unittest.main()

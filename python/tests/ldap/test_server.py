"""Tests of the function in a real MLflow server, with a real slapd."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import Message
from pathlib import Path

from slapd import PATH, Slapd, answers, free_port

SOURCE = Path(__file__).parents[3] / "python/src"
BASE = "dc=mlflow,dc=test"
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
ME = "/api/2.0/mlflow/users/current"
TRACES = "/v1/traces"
ACCEPTED_SECONDS, REJECTED_SECONDS = 8, 10
SERVER_ENVIRONMENT = {
    "PYTHONSAFEPATH": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "of-the-tests-123456",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
    "MLFLOW_AUTH_ADMIN_PASSWORD": "of-the-first-admin",
}


@unittest.skipUnless(shutil.which("slapd", path=PATH), "no slapd")
class InMlflow(unittest.TestCase):
    slapd: Slapd
    port: int
    log: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.slapd = Slapd()
        cls.addClassCleanup(cls.slapd.close)
        folder = cls.slapd.folder
        for file in SOURCE.glob("*.py"):
            (folder / file.name).write_text(file.read_text())
        groups = {
            "base": f"ou=groups,{BASE}",
            "filter": "(&(objectclass=groupOfUniqueNames)(uniquemember=%s))",
            "attribute": "dn",
            "user": f"cn=test-user,ou=groups,{BASE}",
            "admin": f"cn=test-admin,ou=groups,{BASE}",
        }
        settings = {
            "host": "localhost",
            "port": cls.slapd.tls_port,
            "tls": True,
            "startTLS": False,
            "verify": True,
            "caFile": cls.slapd.ca_file,
            "acceptedSeconds": ACCEPTED_SECONDS,
            "userBind": f"uid=%s,ou=people,{BASE}",
            "search": None,
            "groups": groups,
        }
        (folder / "ldap.json").write_text(json.dumps(settings))
        (folder / "basic_auth.ini").write_text(
            f"[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///{folder}/auth.db\n"
            "authorization_function = mlflow_ldap:authenticate_request\n"
        )
        cls.port = free_port()
        cls.log = folder / "mlflow.log"
        program = Path(sys.executable).with_name("mlflow")
        options = ["--app-name", "basic-auth", "--workers", "1", "--host", "127.0.0.1", "--port", str(cls.port)]
        stores = [
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--artifacts-destination",
            str(folder / "files"),
        ]
        with cls.log.open("w") as log:
            server = subprocess.Popen(
                [str(program), "server", *options, *stores],
                cwd="/",
                stdout=log,
                stderr=log,
                env={
                    **SERVER_ENVIRONMENT,
                    "PATH": os.environ["PATH"],
                    "HOME": str(folder),
                    "PYTHONPATH": str(folder),
                    "MLFLOW_AUTH_CONFIG_PATH": str(folder / "basic_auth.ini"),
                },
            )
        cls.addClassCleanup(server.wait, 120)
        cls.addClassCleanup(server.terminate)
        for _ in range(1500):
            if answers(cls.port):
                return
            time.sleep(0.2)
        raise RuntimeError(cls.log.read_text())

    def call(
        self, path: str, name: str | None = None, password: str = "", method: str = "GET"
    ) -> tuple[int, bytes, Message]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        if name is not None:
            request.add_header("Authorization", f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers

    def status(self, *args: str) -> int:
        return self.call(*args)[0]

    def who(self, name: str, password: str) -> tuple[str, bool]:
        status, body, _ = self.call(ME, name, password)
        self.assertEqual(status, 200, body)
        user = json.loads(body)["user"] if "user" in json.loads(body) else json.loads(body)
        return user["username"], user["is_admin"]

    def test_a_roles(self) -> None:
        self.assertEqual(self.who("ada", "of-ada-1234567"), ("ada", True))
        self.assertEqual(self.who("BOB", "of-bob-1234567"), ("bob", False))
        for path in [SEARCH, TRACES]:
            method = "POST" if path == TRACES else "GET"
            for name, password in [
                (None, ""),
                ("eve", "of-eve-1234567"),
                ("bob", "wrong"),
                ("bob", ""),
                ("", ""),
                ("admin", "of-the-first-admin"),
                ("admin", "password1234"),
                ("bob)(uid=*", "of-bob-1234567"),
                ("b*b", "of-bob-1234567"),
            ]:
                with self.subTest(path=path, name=name):
                    status, _, headers = self.call(path, name, password, method)
                    self.assertEqual(status, 401)
                    self.assertIn("Basic", headers["WWW-Authenticate"])
        self.assertEqual(self.call(TRACES, "ada", "of-ada-1234567", "POST")[0], 422)

    def test_b_forty_requests_are_one_bind(self) -> None:
        dn = f"uid=o\\2Cdd *()\\5C,ou=people,{BASE}"
        password = 'pässwörd:with,everything"\\'
        with self.one_bind_each(ACCEPTED_SECONDS, dn), ThreadPoolExecutor(40) as pool:
            statuses = list(pool.map(lambda _: self.status(SEARCH, "o,dd *()\\", password), range(40)))
        self.assertEqual(statuses, [200] * 40)
        with self.one_bind_each(REJECTED_SECONDS, f"uid=bob,ou=people,{BASE}"), ThreadPoolExecutor(10) as pool:
            statuses = list(pool.map(lambda _: self.status(SEARCH, "bob", "wrong too"), range(20)))
        self.assertEqual(statuses, [401] * 20)

    @contextmanager
    def one_bind_each(self, seconds: int, dn: str) -> Iterator[None]:
        """Asserts that the block causes one bind, and another one only if the cached answer expired."""
        before, began = self.slapd.binds(dn), time.monotonic()
        yield
        self.assertIn(self.slapd.binds(dn) - before, range(1, 2 + int((time.monotonic() - began) / seconds)))

    def test_c_a_user_removed_from_the_group_loses_access_after_the_cache_lifetime(self) -> None:
        self.assertEqual(self.who("ada", "of-ada-1234567"), ("ada", True))
        self.assertEqual(self.who("bob", "of-bob-1234567"), ("bob", False))
        member = f"uniqueMember: cn=root,{BASE}\n"
        self.slapd.modify(
            f"dn: cn=test-admin,ou=groups,{BASE}\nchangetype: modify\nreplace: uniqueMember\n{member}\n"
            f"dn: uid=bob,ou=people,{BASE}\nchangetype: delete\n"
        )
        time.sleep(ACCEPTED_SECONDS + 1)
        self.assertEqual(self.who("ada", "of-ada-1234567"), ("ada", False))
        self.assertEqual(self.status(SEARCH, "bob", "of-bob-1234567"), 401)

    def test_d_an_unavailable_directory_results_in_503(self) -> None:
        self.slapd.stop()
        for path, method in [(SEARCH, "GET"), (TRACES, "POST")]:
            status, _, headers = self.call(path, "ada", "never seen before", method)
            self.assertEqual((status, headers["Retry-After"]), (503, "5"))
        self.assertEqual(self.call(SEARCH)[0], 401)
        self.assertEqual(self.call("/health")[0], 200)
        self.slapd.start()
        time.sleep(6)
        self.assertEqual(self.status(SEARCH, "ada", "of-ada-1234567"), 200)

    def test_e_no_password_is_in_the_log(self) -> None:
        log = self.log.read_text()
        self.assertIn("rejects the login of", log)
        self.assertIn("because the directory is unavailable", log)
        for word in ["of-ada", "of-bob", "of-eve", "everything", "wrong too", "of-the-first-admin", "never seen"]:
            self.assertNotIn(word, log)

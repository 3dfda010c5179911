"""Tests of authentication with an OpenID Connect issuer, in the real plugin with its own database."""

import asyncio
import base64
import json
import os
import tempfile
import threading
import time
import unittest
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.event import listen, remove

ISSUER = "https://id.example.com/realms/ml"
MAX_AGE = 3600
folder = tempfile.mkdtemp()
for name in [name for name in os.environ if name.startswith(("OIDC_", "SESSION_", "MLFLOW_"))]:
    del os.environ[name]
os.environ |= {
    "OIDC_DISCOVERY_URL": f"{ISSUER}/.well-known/openid-configuration",
    "OIDC_ISSUER": ISSUER,
    "OIDC_AUDIENCE": "mlflow",
    "OIDC_CLIENT_ID": "mlflow",
    "OIDC_CLIENT_SECRET": "of-the-client",
    "OIDC_REDIRECT_URI": "https://mlflow.example.com/callback",
    "OIDC_USERS_DB_URI": f"sqlite:///{folder}/oidc.db",
    "OIDC_USERNAME_FIELD": "preferred_username",
    "OIDC_GROUPS_ATTRIBUTE": "realm_access.roles",
    "OIDC_GROUP_NAME": "mlflow",
    "OIDC_ADMIN_GROUP_NAME": "mlflow-admin",
    "OIDC_PROVISION_ON_BEARER_AUTH": "true",
    "DEFAULT_LANDING_PAGE_IS_PERMISSIONS": "false",
    "SESSION_COOKIE_SECURE": "true",
    "CONFIG_PROVIDERS": "env",
    "SECRET_KEY": "of-the-tests-0123456789",
    "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db",
    # The variable that `mlflow server` sets for its workers.
    "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{folder}/mlflow.db",
    "MLFLOW_OPERATOR_OIDC": json.dumps({"accessTokenSeconds": MAX_AGE if os.environ.pop("TAKES_TOKENS", "") else None}),
}

from mlflow_oidc_auth import auth, routers  # noqa: E402
from mlflow_oidc_auth.db.models import SqlUser, SqlUserIdentity, SqlUserToken  # noqa: E402
from mlflow_oidc_auth.middleware import auth_middleware  # noqa: E402
from mlflow_oidc_auth.repository.auth_session import ResolvedSession  # noqa: E402
from mlflow_oidc_auth.routers import auth as login  # noqa: E402
from mlflow_oidc_auth.store import store  # noqa: E402

from mlflow_operator import oidc_membership as membership  # noqa: E402
from mlflow_operator import oidc_sessions  # noqa: E402
from mlflow_operator.account_names import problem_of  # noqa: E402
from mlflow_operator.oidc_accounts import Accounts, Rejected, identity_of  # noqa: E402
from mlflow_operator.oidc_cache import VerifiedTokens  # noqa: E402
from mlflow_operator.oidc_routes import TOKENS, UNUSED, refusal_of  # noqa: E402
from mlflow_operator.oidc_sessions import SESSION_SECONDS  # noqa: E402
from mlflow_operator.users import Memory  # noqa: E402

ME = "/api/2.0/mlflow/users/current"
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
jwks = {"keys": [{**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "a"}]}
auth._get_provider_jwks = lambda *_, **__: jwks
answers: dict[str, dict[str, Any]] = {}


async def exchange(request: Any, _: Any = None) -> dict[str, Any]:
    """What the issuer would give for a code."""
    return {"access_token": "x", "expires_in": 600, "userinfo": dict(answers[request.query_params["code"]])}


membership.exchange = exchange
login.is_oidc_configured = lambda *_: True
login._client_for_exchange = lambda _: type("Client", (), {"authorize_access_token": None})()
takes_tokens = membership.TOKEN_SECONDS is not None


def claims(name: str, sub: Any = ..., groups: Any = ("mlflow",), **others: Any) -> dict[str, Any]:
    now = int(time.time())
    subject = f"of-{name}" if sub is ... else sub
    usual = {"iss": ISSUER, "aud": "mlflow", "iat": now, "exp": now + 600, "sub": subject, "preferred_username": name}
    usual |= {"realm_access": {"roles": list(groups)}}
    return {claim: value for claim, value in {**usual, **others}.items() if value is not None}


class Answer:
    def __init__(self, messages: list[Any]) -> None:
        start = messages[0]
        self.status: int = start["status"]
        self.headers = [(name.decode().lower(), value.decode()) for name, value in start["headers"]]
        self.text = b"".join(message.get("body", b"") for message in messages[1:]).decode()

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def call(path: str, method: str = "GET", body: Any = None, host: str = "mlflow.example.com", **headers: str) -> Answer:
    """Sends a request to the application, without a server."""
    target, _, query = path.partition("?")
    sent = {"host": host, "content-type": "application/json", **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()],
        "client": ("192.0.2.1", 1),
        "server": ("127.0.0.1", 5000),
        "state": {},
    }
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    sent_body = [{"type": "http.request", "body": b"" if body is None else json.dumps(body).encode()}]

    async def receive() -> Any:
        if sent_body:
            return sent_body.pop()
        await asyncio.sleep(3600)

    asyncio.run(membership.app(scope, receive, send))
    return Answer(said)


def bearer(name: str, *args: Any, **others: Any) -> dict[str, str]:
    token = jwt.encode(claims(name, *args, **others), key, algorithm="RS256", headers={"kid": "a"})
    return {"authorization": f"Bearer {token}"}


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def signed_in(name: str, *args: Any, **others: Any) -> Answer:
    """The last answer of a login in the browser."""
    code = f"code-{len(answers)}"
    answers[code] = claims(name, *args, **others)
    return call(f"/callback?{urlencode({'state': store.create_auth_state('default'), 'code': code, 'iss': ISSUER})}")


def session(name: str, *args: Any, **others: Any) -> dict[str, str]:
    return {"cookie": signed_in(name, *args, **others).header("set-cookie").split(";")[0]}


def who(headers: dict[str, str]) -> Any:
    answer = call(ME, **headers)
    return (answer.json["username"], answer.json["is_admin"]) if answer.status == 200 else answer.status


class Names(unittest.TestCase):
    def test_a_name_counts_in_one_form_only(self) -> None:
        for name in ["leaver", "ada@example.com", "o'brien", "josé", "иван", "山田ab", "a.b-c_d", "straße", "12345"]:
            self.assertIsNone(problem_of(name), name)
        unnamed: list[Any] = [
            "",
            None,
            1,
            ["leaver"],
            "LEAVER",
            "Leaver",
            "leaver ",
            " leaver",
            "lea  ver",
            "leaver\n",
            "leaver\0",
            "lea\u200bver",
        ]
        for name in unnamed:
            self.assertIsNotNone(problem_of(name), name)
        for name in [
            "ｌｅａｖｅｒ",
            "le\u0430ver",
            "le\u03bfver",
            "\u0441\u043e\u0441",
            "jose\u0301",
            "lea\u00adver",
            "a" * 256,
            "ﬁ",
            "leaver\u2028",
        ]:
            self.assertIsNotNone(problem_of(name), name)
        self.assertIsNone(problem_of("Ab|C", is_subject=True))
        self.assertIsNotNone(problem_of("Ab ", is_subject=True))

    def test_an_identity_is_both_claims_and_fits(self) -> None:
        self.assertNotEqual(identity_of("https://a", "b"), identity_of("https://b", "b"))
        self.assertLessEqual(len(identity_of(ISSUER, "x" * 5000)), 255)
        self.assertNotEqual(identity_of(ISSUER, "x" * 5000), identity_of(ISSUER, "x" * 5001))
        for subject in [None, "", " a", "a ", "a\n", "a\0", 1, ["a"]]:
            with self.assertRaises(Rejected):
                identity_of(ISSUER, subject)


class Accounting(unittest.TestCase):
    def test_a_token_of_a_member_authenticates_by_a_claim_in_an_object(self) -> None:
        self.assertEqual(who(bearer("ada")), ("ada", False))
        self.assertEqual(who(bearer("ada", groups=["mlflow-admin"])), ("ada", False))
        literal = {"realm_access.roles": ["others"]}
        self.assertEqual(who(bearer("ada", **literal)), 401)
        for groups in [[], ["others"], ["mlflow,mlflow-admin"], [["mlflow"]], [{"mlflow": 1}]]:
            self.assertEqual(who(bearer("ada", groups=groups)), 401, groups)
        self.assertEqual(who(session("eve", groups=["mlflow-admin"])), ("eve", True))
        self.assertEqual(who(session("eve", realm_access={"other": ["mlflow"]})), 401)

    def test_a_token_of_a_bound_account_writes_nothing(self) -> None:
        """A write for each request would make those of one user wait for each other."""
        self.assertEqual(who(bearer("steady")), ("steady", False))
        written: list[str] = []

        def note(*event: Any) -> None:
            if not event[2].lstrip().upper().startswith(("SELECT", "PRAGMA")):
                written.append(event[2])

        listen(Engine, "before_cursor_execute", note)
        try:
            self.assertEqual(who(bearer("steady")), ("steady", False))
        finally:
            remove(Engine, "before_cursor_execute", note)
        self.assertEqual(written, [])

    def test_another_sub_is_not_the_account_whatever_form_of_the_name_it_has(self) -> None:
        for first, name in [(bearer, "bound-by-token"), (session, "bound-by-login")]:
            self.assertEqual(who(first(name)), (name, False))
            forms = [
                name,
                name.upper(),
                name.title(),
                f"{name} ",
                f" {name}",
                f"{name}\n",
                f"{name}\u200b",
                name.replace("o", "\u043e"),
            ]
            forms += [name.replace("o", "ｏ"), f"{name}\0", name.replace("o", "\u03bf")]
            for form in forms:
                for other in (bearer, session):
                    with self.subTest(form=form, by=other.__name__), self.assertLogs(level="WARNING") as logs:
                        self.assertEqual(who(other(form, "of-another")), 401)
                    self.assertTrue(
                        any("bound to another sub" in line or "confused with another" in line for line in logs.output)
                    )
                    self.assertIsNone(
                        Accounts(store.user_identity_repo._Session).bound_to(identity_of(ISSUER, "of-another"))
                    )
            self.assertEqual(who(bearer(name)), (name, False))
            self.assertEqual(who(session(name)), (name, False))

    def test_an_account_stays_with_its_sub_when_the_name_changes(self) -> None:
        self.assertEqual(who(bearer("born", "of-bride")), ("born", False))
        self.assertEqual(who(bearer("married", "of-bride")), ("born", False))
        self.assertEqual(who(session("married", "of-bride")), ("born", False))
        self.assertFalse(store.has_user("married"))
        self.assertEqual(who(bearer("born", "of-the-next")), 401)

    def test_what_names_nobody_is_rejected(self) -> None:
        cases: list[dict[str, Any]] = [
            {"sub": None},
            {"sub": ""},
            {"sub": "a "},
            {"sub": 1},
            {"preferred_username": None},
            {"preferred_username": ["a"]},
        ]
        for others in cases:
            for by in (bearer, session):
                self.assertEqual(who(by("nameless", **others)), 401, others)
        self.assertEqual(who(session("nameless", iss="https://other.example.com")), 401)
        self.assertEqual(who(bearer("nameless", iss="https://other.example.com")), 401)

    def test_who_is_in_no_group_binds_no_account(self) -> None:
        store.create_user("prepared", "prepared")
        for by in (bearer, session):
            self.assertEqual(who(by("prepared", "of-another-user", ["others"])), 401)
        self.assertEqual(who(bearer("prepared", "of-the-right-one")), ("prepared", False))
        self.assertEqual(who(bearer("prepared", "of-another-user")), 401)

    def test_an_account_that_is_deleted_and_made_again_is_bound_again(self) -> None:
        self.assertEqual(who(bearer("again", "of-the-first")), ("again", False))
        store.delete_user("again")
        self.assertEqual(who(bearer("again", "of-the-second")), ("again", False))
        self.assertEqual(who(bearer("again", "of-the-first")), 401)

    def test_an_administrator_can_remove_a_binding(self) -> None:
        self.assertEqual(who(bearer("moved", "old")), ("moved", False))
        admin = session("root", groups=["mlflow-admin"])
        path = "/api/2.0/mlflow/users/moved/identities"
        [bound] = call(path, **admin).json
        self.assertEqual(bound, {"provider_id": "default", "subject": f"{ISSUER} old"})
        self.assertEqual(call(f"{path}?{urlencode(bound)}", "DELETE", **admin).status, 200)
        self.assertEqual(who(bearer("moved", "new")), ("moved", False))
        self.assertEqual(who(bearer("moved", "old")), 401)

    def test_service_accounts_of_the_plugin_are_nobody_of_the_issuer(self) -> None:
        store.create_user("robot", "robot", is_service_account=True)
        for by in (bearer, session):
            self.assertEqual(who(by("robot")), 401)

    def test_an_administrator_is_none_by_a_token_that_does_not_say_so(self) -> None:
        self.assertEqual(who(session("boss", groups=["mlflow-admin"])), ("boss", True))
        self.assertEqual(who(bearer("boss")), 401)
        self.assertEqual(who(bearer("boss", groups=["mlflow-admin"])), ("boss", True))
        self.assertEqual(who(session("boss")), ("boss", False))

    def test_two_at_once_are_not_both_the_account(self) -> None:
        store.create_user("raced", "raced")
        one, two = (Accounts(store.user_identity_repo._Session) for _ in range(2))
        one.bind("raced", identity_of(ISSUER, "1"))
        with self.assertRaises(Rejected):
            two.bind("raced", identity_of(ISSUER, "2"))
        with self.assertRaises(Rejected):
            store.user_identity_repo.link("default", identity_of(ISSUER, "2"), "raced")


class SignIn(unittest.TestCase):
    def test_it_lands_on_the_page_of_mlflow_without_scheme_and_host(self) -> None:
        answer = signed_in("ada")
        self.assertEqual((answer.status, answer.header("location")), (302, "/"))

    def test_a_login_that_is_rejected_leads_to_a_page_of_this_server(self) -> None:
        answer = signed_in("ada", groups=["others"])
        self.assertEqual(answer.status, 302)
        self.assertTrue(answer.header("location").startswith("/oidc/ui/auth?error="), answer.header("location"))

    def test_where_a_page_led_to_the_login_it_leads_back(self) -> None:
        answers["next"] = claims("ada")
        state = store.create_auth_state("default", redirect_after_login="/#/experiments/1")
        answer = call(f"/callback?{urlencode({'state': state, 'code': 'next', 'iss': ISSUER})}")
        self.assertEqual(answer.header("location"), "/#/experiments/1")

    def test_only_redirects_to_the_server_itself_become_local(self) -> None:
        local = membership.LocalRedirects(None)  # type: ignore[arg-type]
        for location, expected in [
            ("https://mlflow.example.com/oidc/ui", "/oidc/ui"),
            ("https://mlflow.example.com", "/"),
            ("http://mlflow.team-a:5000/x?y=https://mlflow.example.com/", "/x?y=https://mlflow.example.com/"),
            ("https://mlflow.example.com//evil.example.com", "/evil.example.com"),
            ("https://mlflow.example.com.evil.example.com/", "https://mlflow.example.com.evil.example.com/"),
            (
                "https://id.example.com/logout?a=https://mlflow.example.com/",
                "https://id.example.com/logout?a=https://mlflow.example.com/",
            ),
            ("./x", "./x"),
        ]:
            self.assertEqual(local.local(location, "mlflow.team-a:5000"), expected)


def all_routes() -> list[tuple[str, str]]:
    """Of every router of the plugin, with the copies below /ajax-api."""
    found = []
    for router in routers.get_all_routers():
        for each in (router, routers.ajax_alias_router(router)):
            found += [
                (method, route.path)
                for route in each.routes
                for method in sorted(getattr(route, "methods", None) or ["GET"])
            ]
    return found


class Cached(unittest.TestCase):
    """What is cached of bearer tokens for a few seconds, in one process of several."""

    def setUp(self) -> None:
        self.memory = membership.bearers.memory
        self.memory.clear()
        self.addCleanup(setattr, self.memory, "_clock", self.memory._clock)
        # The clock is stopped, so that a busy machine does not make an entry older than the test expects.
        self.later(0)

    def statements(self) -> list[str]:
        found: list[str] = []

        def executed(_c: Any, _d: Any, statement: str, *_: Any) -> None:
            found.append(statement)

        listen(store.engine, "before_cursor_execute", executed)
        self.addCleanup(remove, store.engine, "before_cursor_execute", executed)
        return found

    def elsewhere(self, statement: str, **values: object) -> None:
        """A change by another process."""
        engine = create_engine(os.environ["OIDC_USERS_DB_URI"])
        with engine.begin() as connection:
            connection.execute(text(statement), values)
        engine.dispose()

    def later(self, seconds: float) -> None:
        now = self.memory._clock()
        self.memory._clock = lambda: now + seconds

    def test_a_second_request_neither_verifies_nor_reads_the_account(self) -> None:
        token = bearer("memo")
        # The first request creates the account, which is a write.
        self.assertEqual([who(token) for _ in range(2)], [("memo", False)] * 2)
        plugin = auth_middleware.AuthMiddleware(app=None)
        found = self.statements()
        verified: list[str] = []
        validate, tokens = membership.bearers._tokens._validate, membership.bearers._tokens
        self.addCleanup(setattr, tokens, "_validate", validate)

        def counted(token: str) -> Any:
            verified.append(token)
            return validate(token)

        tokens._validate = counted
        for _ in range(3):
            answer = asyncio.run(plugin._authenticate_bearer_token(token["authorization"]))
            self.assertEqual(answer, (True, "memo", ""))
            self.assertEqual(plugin._get_user_auth_facts("memo")[:3], (False, True, ""))
        self.assertEqual((found, verified), ([], []))

    def test_an_account_that_is_deleted_in_this_process_is_refused_at_once(self) -> None:
        token = bearer("gone-here")
        self.assertEqual([who(token) for _ in range(2)], [("gone-here", False)] * 2)
        store.update_user("gone-here", active=False)
        self.assertEqual(who(token), 401)

    def test_an_account_that_another_process_deactivates_is_refused_after_five_seconds(self) -> None:
        token = bearer("gone-there")
        self.assertEqual([who(token) for _ in range(2)], [("gone-there", False)] * 2)
        self.elsewhere("UPDATE users SET active = :no WHERE username = 'gone-there'", no=False)
        self.later(4.9)
        plugin = auth_middleware.AuthMiddleware(app=None)
        self.assertEqual(plugin._get_user_auth_facts("gone-there")[:2], (False, True))
        self.later(0.2)
        self.assertEqual(who(token), 401)
        # A rejection is not cached.
        self.elsewhere("UPDATE users SET active = :yes WHERE username = 'gone-there'", yes=True)
        self.assertEqual(who(token), ("gone-there", False))

    def test_a_binding_that_another_process_changes_counts_after_five_seconds(self) -> None:
        token = bearer("rebound")
        self.assertEqual([who(token) for _ in range(2)], [("rebound", False)] * 2)
        self.elsewhere("UPDATE user_identities SET subject = 'other' WHERE subject LIKE '% of-rebound'")
        self.later(5.1)
        self.assertEqual(who(token), 401)

    def test_a_token_without_the_group_is_refused_while_one_with_it_is_cached(self) -> None:
        self.assertEqual(who(bearer("leaving")), ("leaving", False))
        for _ in range(2):
            self.assertEqual(who(bearer("leaving", groups=("other",))), 401)

    def test_other_tokens_of_a_cached_user_are_verified(self) -> None:
        good = bearer("careful")["authorization"]
        self.assertEqual(who({"authorization": good}), ("careful", False))
        other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        forged = jwt.encode(claims("careful"), other_key, algorithm="RS256", headers={"kid": "a"})
        unsigned = jwt.encode(claims("careful"), "", algorithm="none")
        others = [good[:-6] + "AAAAAA", good + "x", f"Bearer {forged}", f"Bearer {unsigned}"]
        others += [
            bearer("careful", aud="other")["authorization"],
            bearer("careful", iss=f"{ISSUER}/")["authorization"],
        ]
        others += [
            bearer("careful", exp=int(time.time()) - 1)["authorization"],
            bearer("careful", exp=None)["authorization"],
        ]
        for other in others:
            for _ in range(2):
                self.assertEqual(who({"authorization": other}), 401, other)
        self.assertEqual(who({"authorization": good}), ("careful", False))

    def test_a_token_ends_when_it_says_although_it_is_cached(self) -> None:
        token = bearer("brief", exp=int(time.time()) + 100)
        self.assertEqual(who(token), ("brief", False))
        tokens = membership.bearers._tokens
        self.addCleanup(setattr, tokens, "_clock", tokens._clock)
        tokens._clock = lambda: time.time() + 101
        self.assertFalse(tokens.is_valid(token["authorization"].split(" ")[1]))

    def test_a_hundred_first_requests_of_a_new_user_make_one_account(self) -> None:
        token = bearer("newcomer")["authorization"]
        plugin = auth_middleware.AuthMiddleware(app=None)

        async def run() -> list[Any]:
            return await asyncio.gather(*(plugin._authenticate_bearer_token(token) for _ in range(100)))

        self.assertEqual(set(asyncio.run(run())), {(True, "newcomer", "")})
        self.assertEqual(len([user for user in store.list_usernames() if user == "newcomer"]), 1)

    def test_a_slow_issuer_stops_no_user_whose_token_is_cached(self) -> None:
        known, unknown = (bearer(name)["authorization"] for name in ("quick", "waiting"))
        self.assertEqual([who({"authorization": known}) for _ in range(2)], [("quick", False)] * 2)
        plugin = auth_middleware.AuthMiddleware(app=None)
        released, begun = threading.Event(), threading.Event()
        tokens, validate = membership.bearers._tokens, membership.bearers._tokens._validate
        self.addCleanup(setattr, tokens, "_validate", validate)

        def slow(token: str) -> Any:
            begun.set()
            released.wait(30)
            return validate(token)

        tokens._validate = slow

        async def run() -> None:
            waiting = asyncio.create_task(plugin._authenticate_bearer_token(unknown))
            while not begun.is_set():
                await asyncio.sleep(0.01)
            for _ in range(10):
                self.assertEqual(await plugin._authenticate_bearer_token(known), (True, "quick", ""))
            self.assertFalse(waiting.done())
            released.set()
            self.assertEqual(await waiting, (True, "waiting", ""))

        asyncio.run(run())


class Sessions(unittest.TestCase):
    """Sessions are read with one statement, at most once in a second."""

    def elsewhere(self, statement: str, **values: object) -> None:
        """A change by another process."""
        engine = create_engine(os.environ["OIDC_USERS_DB_URI"])
        with engine.begin() as connection:
            connection.execute(text(statement), values)
        engine.dispose()

    def sessions_of(self, name: str) -> list[str]:
        return list(store.auth_session_repo.list_live_for_user(name))

    def test_it_is_the_session_that_the_plugin_finds(self) -> None:
        session("plain-web")
        session("admin-web", groups=["mlflow-admin"])
        session("robot-web")
        self.elsewhere("UPDATE users SET is_service_account = :yes WHERE username = 'robot-web'", yes=True)
        session("gone-web")
        self.elsewhere("UPDATE users SET active = :no WHERE username = 'gone-web'", no=False)
        session("late-web")
        repository = store.auth_session_repo
        late, *_ = self.sessions_of("late-web")
        self.elsewhere(
            "UPDATE auth_sessions SET expires_at = :past WHERE session_id = :id",
            past="2020-01-01 00:00:00.000000",
            id=late,
        )
        known = [self.sessions_of(name)[0] for name in ("plain-web", "admin-web", "robot-web", "gone-web")]
        for presented in [*known, late, "", "unknown", known[0].swapcase()]:
            self.assertEqual(repository.resolve(presented), type(repository).resolve.__wrapped__(repository, presented))
        self.assertEqual([repository.resolve(each) is None for each in [*known, late]], [False] * 4 + [True])

    def test_it_takes_one_statement_and_no_transaction(self) -> None:
        headers = session("one-statement")
        self.assertEqual(who(headers), ("one-statement", False))
        presented, *_ = self.sessions_of("one-statement")
        found: list[str] = []

        def executed(_c: Any, _d: Any, statement: str, *_: Any) -> None:
            found.append(statement.split()[0])

        def committed(_: Any) -> None:
            found.append("COMMIT")

        listen(store.engine, "before_cursor_execute", executed)
        listen(store.engine, "commit", committed)
        self.addCleanup(remove, store.engine, "before_cursor_execute", executed)
        self.addCleanup(remove, store.engine, "commit", committed)
        resolve = oidc_sessions.resolver(store.engine)
        self.assertEqual(getattr(resolve(presented), "username", None), "one-statement")
        self.assertEqual(found, ["SELECT"])

    def test_it_is_read_again_after_a_second_and_after_each_write(self) -> None:
        now = [100.0]
        read: list[str] = []
        expires_at = oidc_sessions.now() + timedelta(hours=1)
        valid = ResolvedSession(
            username="ada", is_admin=False, is_active=True, expires_at=expires_at, session_pk=1, session_id="a"
        )

        def read_session(presented: str) -> ResolvedSession | None:
            read.append(presented)
            return {"a": valid, "b": replace(valid, expires_at=oidc_sessions.now())}.get(presented)

        memory = Memory(SESSION_SECONDS, 8, lambda: now[0])
        resolve = oidc_sessions.cached(read_session, memory)
        self.assertEqual([resolve("a"), resolve("a"), len(read)], [valid, valid, 1])
        now[0] += SESSION_SECONDS
        self.assertEqual([resolve("a"), len(read)], [valid, 2])
        memory.clear()
        self.assertEqual([resolve("a"), len(read)], [valid, 3])
        # One that has expired meanwhile, and one that is not valid.
        for presented in ("b", "unknown"):
            read.clear()
            resolve(presented), resolve(presented)
            self.assertEqual(read, [presented] * 2)

    def test_what_this_process_ends_ends_immediately(self) -> None:
        headers = session("signs-out")
        self.assertEqual(who(headers), ("signs-out", False))
        store.auth_session_repo.revoke(self.sessions_of("signs-out")[0])
        self.assertEqual(who(headers), 401)

    def test_what_another_process_ends_ends_within_a_second(self) -> None:
        for name, statement in {
            "signed-out": "UPDATE auth_sessions SET revoked_at = expires_at WHERE session_id = :id",
            "deactivated": "UPDATE users SET active = :no WHERE username = 'deactivated'",
            "deleted": "DELETE FROM auth_sessions WHERE session_id = :id",
        }.items():
            headers = session(name)
            self.assertEqual([who(headers) for _ in range(2)], [(name, False)] * 2)
            values = {"id": self.sessions_of(name)[0], "no": False}
            self.elsewhere(statement, **{key: value for key, value in values.items() if f":{key}" in statement})
            until = time.monotonic() + SESSION_SECONDS + 1
            while who(headers) != 401 and time.monotonic() < until:
                time.sleep(0.05)
            self.assertEqual(who(headers), 401, name)


class Verification(unittest.TestCase):
    """Tokens that are verified, with keys of an issuer that change."""

    def setUp(self) -> None:
        self.now = 1000.0
        self.keys: object = {"keys": ["a"]}
        self.verified: list[str] = []

        def validate(token: str) -> dict[str, Any]:
            self.verified.append(token)
            if token.startswith("bad"):
                raise ValueError(token)
            return {"sub": token, "exp": self.now + 3600} if token != "endless" else {"sub": token}

        self.tokens = VerifiedTokens(validate, lambda _: self.keys, 60, lambda: self.now, size=8)

    def test_it_is_verified_again_when_the_keys_were_fetched_again(self) -> None:
        for _ in range(3):
            self.assertEqual(self.tokens.claims("a")["sub"], "a")
        self.assertEqual(len(self.verified), 1)
        self.keys = {"keys": ["a"]}
        self.tokens.claims("a")
        self.assertEqual(len(self.verified), 2)
        self.tokens.claims("a")
        self.assertEqual(len(self.verified), 2)

    def test_it_is_not_valid_without_asking_when_the_keys_are_due(self) -> None:
        self.tokens.claims("a")
        self.now += 59
        self.assertTrue(self.tokens.is_valid("a"))
        self.assertFalse(self.tokens.is_valid("b"))
        self.now += 2
        self.assertFalse(self.tokens.is_valid("a"))

    def test_what_is_not_valid_or_has_no_end_is_not_cached(self) -> None:
        for _ in range(2):
            with self.assertRaises(ValueError):
                self.tokens.claims("bad")
            self.tokens.claims("endless")
            self.assertFalse(self.tokens.is_valid("bad") or self.tokens.is_valid("endless"))
        self.assertEqual(self.verified, ["bad", "endless"] * 2)

    def test_it_is_bounded_and_keeps_no_token(self) -> None:
        for number in range(50):
            self.tokens.claims(f"secret-{number}")
        self.assertEqual(len(self.tokens._entries), 8)
        self.assertTrue(all(len(digest) == 32 for digest in self.tokens._entries))

    def test_a_caller_that_changes_the_claims_changes_no_others(self) -> None:
        self.tokens.claims("a")["sub"] = "b"
        self.assertEqual(self.tokens.claims("a")["sub"], "a")


class AccessTokens(unittest.TestCase):
    def test_every_route_of_the_plugin_that_has_to_do_with_tokens_is_decided(self) -> None:
        decided = sorted(
            {path for _, path in all_routes() if TOKENS.search(path) or set(path.split("/")) & set(UNUSED)}
        )
        users = "/api/2.0/mlflow/users"
        for path in [
            f"{users}/access-token",
            f"{users}/current/tokens",
            f"{users}/{{username}}/tokens",
            "/api/2.0/mlflow/scim/tokens",
        ]:
            self.assertIn(path, decided)
            self.assertIn(path.replace("/api/", "/ajax-api/"), decided)
        undecided = [
            path
            for _, path in all_routes()
            if path not in decided and ("token" in path.lower() or "key" in path.lower())
        ]
        self.assertEqual(undecided, [])
        self.assertIsNone(refusal_of(f"{users}/current", takes_tokens=False))
        self.assertIsNone(refusal_of(f"{users}/access-token", takes_tokens=True))
        self.assertEqual((refusal_of("/scim/v2/Users", takes_tokens=True) or (None,))[0], 404)

    def test_routes_that_are_closed_say_so_to_users_and_administrators(self) -> None:
        by = [bearer("ada"), session("root", groups=["mlflow-admin"])]
        for method, path in all_routes():
            refusal = refusal_of(path, takes_tokens=takes_tokens)
            if refusal is None:
                continue
            for headers in by:
                answer = call(path.replace("{username}", "ada").replace("{token_id}", "1"), method, {}, **headers)
                self.assertEqual((answer.status, answer.json["message"]), refusal, f"{method} {path}")

    @unittest.skipIf(takes_tokens, "they are taken")
    def test_by_default_they_are_rejected_and_the_field_is_named(self) -> None:
        self.assertEqual(who(session("keeper")), ("keeper", False))
        token = store.create_user_token("keeper", "ci", expires_at=far(), created_by="keeper")[1]
        self.assertTrue(store.authenticate_user("keeper", token))
        for headers in [basic("keeper", token), basic("keeper", "wrong"), {"authorization": "basic x"}]:
            answer = call(ME, **headers)
            self.assertEqual(answer.status, 401)
            self.assertIn("spec.authentication.oidc.accessTokens", answer.json["message"])
        self.assertEqual(call("/", accept="text/html", **basic("keeper", token)).status, 401)

    @unittest.skipUnless(takes_tokens, "they are not taken")
    def test_they_count_as_long_as_their_user_has_lately_shown_a_group(self) -> None:
        self.assertEqual(who(session("keeper")), ("keeper", False))
        token = store.create_user_token("keeper", "ci", expires_at=far(), created_by="keeper")[1]
        self.assertEqual(who(basic("keeper", token)), ("keeper", False))
        self.assertEqual(who(basic("keeper", token + "x")), 401)
        self.seen("keeper", MAX_AGE + 1)
        self.assertEqual(who(basic("keeper", token)), 401)
        self.assertEqual(who(bearer("keeper")), ("keeper", False))
        self.assertEqual(who(basic("keeper", token)), ("keeper", False))
        for leaving in (bearer, session):
            self.assertEqual(who(leaving("keeper", groups=["others"])), 401)
            self.assertEqual(who(basic("keeper", token)), 401)
            self.assertEqual(who(leaving("keeper")), ("keeper", False))
            self.assertEqual(who(basic("keeper", token)), ("keeper", False))
        self.made("keeper", MAX_AGE + 1)
        self.assertEqual(who(basic("keeper", token)), 401)

    @unittest.skipUnless(takes_tokens, "they are not taken")
    def test_an_account_that_nobody_of_the_issuer_has_does_not_get_in_by_one(self) -> None:
        for name, is_service_account in [("made-by-hand", False), ("machine", True)]:
            store.create_user(name, name, is_service_account=is_service_account)
            token = store.create_user_token(name, "ci", expires_at=far(), created_by="root")[1]
            self.assertTrue(store.authenticate_user(name, token))
            self.assertEqual(who(basic(name, token)), 401)

    def seen(self, name: str, seconds: float) -> None:
        with store.user_identity_repo._Session(read_only=False) as found:
            user = found.query(SqlUser).filter(SqlUser.username == name).one()
            at = membership.accounts()._clock() - seconds
            row = found.query(SqlUserIdentity).filter(SqlUserIdentity.user_id == user.id).one()
            row.last_login_at = moment(at)

    def made(self, name: str, seconds: float) -> None:
        with store.user_identity_repo._Session(read_only=False) as found:
            user = found.query(SqlUser).filter(SqlUser.username == name).one()
            found.query(SqlUserToken).filter(SqlUserToken.user_id == user.id).one().created_at = moment(
                time.time() - seconds
            )


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None)


def far() -> datetime:
    return moment(time.time() + 300 * 86400)


if __name__ == "__main__":
    unittest.main(verbosity=2)

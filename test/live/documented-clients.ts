import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { InstalledGateway } from "../cluster/gateway/install-gateway.ts";
import { documentedCells } from "./documented-cells.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { clientSecret, type ProxyFixture } from "./proxy-fixture.ts";
import { unpackWheels } from "./python-wheels.ts";
import { type Printed, startClient } from "./running-client.ts";

/** A server with workspaces behind oauth2-proxy, exposed with TLS below a prefix. */
export interface DocumentedServer {
  readonly serviceUrl: string;
  readonly externalURL: string;
  readonly gateway: InstalledGateway;
  /** A workspace of alice, which is the default of the server; one of dora; and a namespace that is not a workspace. */
  readonly team: string;
  readonly other: string;
  readonly foreign: string;
}

/** Prints experiment and owner of the runs in `runs`, and the versions of the registered models. */
const report = `
import json
client = mlflow.MlflowClient()
def about(run):
    found = client.get_run(run.info.run_id)
    return [found.info.user_id, client.get_experiment(found.info.experiment_id).name, found.data.metrics["loss"]]
def versions(workspace):
    mlflow.set_workspace(workspace)
    return sorted(each.version for each in client.search_model_versions("name = 'my-model'"))
def error_of(call):
    try:
        return call()
    except Exception as error:
        return f"{getattr(error, 'error_code', type(error).__name__)}: {error}"
`;

/** Runs the cells of docs/clients.md in a pod, as a user does, and tries the errors in its troubleshooting table. */
export async function assertDocumentedClients(context: TestContext, fixture: ProxyFixture, server: DocumentedServer) {
  const { issuer } = fixture;
  const { serviceUrl, externalURL, gateway, team, other, foreign } = server;
  const cell = await documentedCells();
  const image = await imageReference(fixture.cluster, `mlflow-server:${testedVersion}`);
  const client = await startClient(fixture, { name: "client", image, trackingUri: externalURL });
  await client.write("/tmp/ca-bundle.crt", `${gateway.ca}\n${issuer.ca}`);
  const bundle = { REQUESTS_CA_BUNDLE: "/tmp/ca-bundle.crt" };
  const as = (login: string, password = `of-${login}`) => ({
    ...bundle,
    MLFLOW_EXTERNAL_URL: externalURL,
    OIDC_ISSUER: issuer.url,
    OIDC_CLIENT_ID: "mlflow",
    OIDC_CLIENT_SECRET: clientSecret,
    OIDC_USERNAME: login,
    OIDC_PASSWORD: password,
  });
  const signIn = cell("Sign in without a browser");
  const token = cell("Token by user name and password");
  const cookie = cell("Session cookie");
  const train = (uri: string, workspace: string) =>
    cell("Train", { "http://mlflow.mlflow:5000": uri, '"team-a"': JSON.stringify(workspace) });
  const inside = (workspace: string) => `${train(serviceUrl, workspace)}\ninside = run\n`;
  const outside = (workspace: string) => `${train(externalURL, workspace)}\noutside = run\n`;
  const loggedBy = (owner: string) => [owner, "my-experiment", 0.125];

  await context.test(
    "a token by PKCE: in the cluster, refreshed, and at the external URL with TLS below the prefix",
    async () => {
      const claims = `
print(json.dumps({
    "runs": [about(inside), about(outside)],
    "versions": versions(${JSON.stringify(team)}),
    "renewed": renewed,
    "used twice": error_of(lambda: request_tokens(grant_type="authorization_code", **exchange)),
    "another verifier": error_of(another_verifier),
    "without PKCE": error_of(without_pkce),
    "in another workspace": error_of(lambda: (mlflow.set_workspace(${JSON.stringify(other)}), client.create_experiment("x"))),
}))
`;
      const renewed = `
before = os.environ["MLFLOW_TRACKING_TOKEN"]
time.sleep(1)
renew()
renew()
renewed = os.environ["MLFLOW_TRACKING_TOKEN"] != before
`;
      const mistakes = `
def without_pkce():
    wrong = {key: value for key, value in query.items() if not key.startswith("code_challenge")}
    return sign_in(requests.Session(), f"{endpoints['authorization_endpoint']}?{urlencode(wrong)}")
def another_verifier():
    back = sign_in(requests.Session(), f"{endpoints['authorization_endpoint']}?{urlencode(query)}")
    code = parse_qs(urlsplit(back).query)["code"][0]
    return request_tokens(grant_type="authorization_code", **{**exchange, "code": code, "code_verifier": verifier[::-1]})
`;
      const program = [signIn, token, inside(team), renewed, outside(team), report, mistakes, claims].join("\n");
      const found = await client.python(program, as("alice"));
      const { runs, versions, renewed: isRenewed, ...errors } = found;
      assert.deepEqual(runs, [loggedBy("alice@example.com"), loggedBy("alice@example.com")]);
      assert.deepEqual([versions, isRenewed], [["1", "2"], true]);
      assert.match(String(errors["used twice"]), /invalid_grant/);
      assert.match(String(errors["another verifier"]), /invalid_grant/);
      assert.match(String(errors["without PKCE"]), /PKCE|code_challenge/);
      assert.match(String(errors["in another workspace"]), /PERMISSION_DENIED/);
    },
  );

  await context.test("the same with the client of MLflow 3.10", async () => {
    const place = { namespace: fixture.namespace, pod: "client", folder: "/tmp/mlflow-3.10" };
    await unpackWheels(fixture.cluster, "mlflow-client-3.10.lock", place);
    const claims = `
print(json.dumps({
    "client": mlflow.__version__,
    "runs": [about(inside), about(outside)],
    "versions": versions(${JSON.stringify(team)}),
}))
`;
    const program = [signIn, token, inside(team), "renew()", outside(team), report, claims].join("\n");
    assert.deepEqual(await client.python(program, { ...as("alice"), PYTHONPATH: "/tmp/mlflow-3.10" }), {
      client: "3.10.1",
      runs: [loggedBy("alice@example.com"), loggedBy("alice@example.com")],
      versions: ["1", "2", "3", "4"],
    });
  });

  await context.test("a session cookie in several chunks, at the external URL and at the Service's", async () => {
    const claims = `
from mlflow.tracking.request_header.registry import resolve_request_headers
sent = resolve_request_headers()["Cookie"]
print(json.dumps({
    "runs": [about(inside), about(outside)],
    "versions": versions(${JSON.stringify(other)}),
    "chunks": len(sent.split("; ")),
    "cookie": sent,
}))
`;
    const program = [signIn, cookie, outside(other), inside(other), report, claims].join("\n");
    const { chunks, cookie: session, ...found } = await client.python(program, as("dora"));
    assert.deepEqual(found, {
      runs: [loggedBy("dora@example.com"), loggedBy("dora@example.com")],
      versions: ["1", "2"],
    });
    assert.ok(Number(chunks) > 1, `only ${chunks} cookie`);
    const forged = String(session).replace(/\|[^|;]*(;|$)/g, "|forged$1");
    const [first = ""] = String(session).split("; ");
    await assertErrors({ whole: String(session), forged, part: first });
  });

  async function assertErrors(cookies: { whole: string; forged: string; part: string }): Promise<void> {
    const once = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0", MLFLOW_WORKSPACE: other };
    const alice = await issuer.token("alice", "mlflow");
    const expired = await issuer.token("alice", "mlflow", { claims: { exp: 1 } });
    const stranger = await issuer.token("alice", "another");
    // MLflow caches permissions for a minute, so the users with access come last.
    const attempts = {
      "no credential": once,
      "an expired token": { ...once, MLFLOW_TRACKING_TOKEN: expired },
      "a token for another client": { ...once, MLFLOW_TRACKING_TOKEN: stranger },
      "a forged session": { ...once, COOKIE: cookies.forged },
      "one chunk of a session": { ...once, COOKIE: cookies.part },
      "no CA": { ...once, COOKIE: cookies.whole, REQUESTS_CA_BUNDLE: null },
      "no workspace": { MLFLOW_TRACKING_TOKEN: alice, MLFLOW_WORKSPACE: null },
      "a namespace that is no workspace": { MLFLOW_TRACKING_TOKEN: alice, MLFLOW_WORKSPACE: foreign },
      "the check turned off": { COOKIE: cookies.whole, REQUESTS_CA_BUNDLE: null, MLFLOW_TRACKING_INSECURE_TLS: "true" },
      "the CA for MLflow alone": {
        COOKIE: cookies.whole,
        REQUESTS_CA_BUNDLE: null,
        MLFLOW_TRACKING_SERVER_CERT_PATH: "/tmp/ca-bundle.crt",
      },
    };
    const found: Printed = await client.run("client-errors.py", JSON.stringify(withBundle(attempts)));
    context.diagnostic(JSON.stringify(found));
    for (const title of Object.keys(attempts).slice(0, 5)) {
      assert.match(String(found[title]), /401|Response: \{\}/, title);
      assert.doesNotMatch(String(found[title]), /CERTIFICATE|<html|JSONDecode/i, title);
    }
    assert.match(String(found["no CA"]), /CERTIFICATE_VERIFY_FAILED/);
    assert.match(String(found["a namespace that is no workspace"]), /not found|404|RESOURCE_DOES_NOT_EXIST/i);
    for (const title of ["no workspace", "the check turned off", "the CA for MLflow alone"])
      assert.equal(found[title], "in", title);
  }

  await context.test("a wrong password is reported by the sign-in", async () => {
    const program = [
      "import json",
      "try:",
      ...`${signIn}\n${token}`.split("\n").map((line) => `    ${line}`),
      "except RuntimeError as error:",
      "    print(json.dumps({'error': str(error)}))",
    ].join("\n");
    const { error } = await client.python(program, as("alice", "guessed"));
    assert.match(String(error), /rejected the user name or the password \(401\)/);
  });

  function withBundle(attempts: Readonly<Record<string, object>>) {
    return Object.fromEntries(
      Object.entries(attempts).map(([title, environment]) => [title, { ...bundle, ...environment }]),
    );
  }
}

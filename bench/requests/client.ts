import { randomBytes } from "node:crypto";
import { webSession } from "../../test/support/oidc/web-session.ts";
import type { Environment } from "./environment.ts";
import { type Call, httpClient } from "./http-client.ts";
import { clientID, directoryUser, type MeasuredClient, person, prefix, user } from "./methods.ts";
import type { PreparedServer } from "./server.ts";
import { spansOf } from "./spans.ts";

/** The measured requests, with the numbers of concurrent clients. */
export const routes = {
  "log-metric": [1, 8, 32],
  "log-batch": [1, 8],
  search: [1, 8, 32],
  "search-runs": [1, 8],
  OTLP: [1, 8],
  "OTLP-100": [1, 8],
} as const satisfies Readonly<Record<string, readonly number[]>>;

export type Route = keyof typeof routes;

/** A user of a server, with an experiment and a run. */
export interface Client {
  readonly server: PreparedServer;
  /** Headers of the user. */
  readonly headers: Readonly<Record<string, string>>;
  readonly calls: Readonly<Record<Route, () => Call>>;
  /** The path of an artifact of its run. */
  readonly artifactPath: string;
}

/** Authenticates, and creates an experiment and a run. The server must be running. */
export async function startClient(
  server: PreparedServer,
  { credential }: MeasuredClient,
  environment: Environment,
): Promise<Client> {
  const headers = await headersOf(server, credential, environment);
  return { server, headers, ...(await callsOf(server, headers)) };
}

async function headersOf(
  { method, port }: PreparedServer,
  credential: MeasuredClient["credential"],
  { issuer }: Environment,
): Promise<Record<string, string>> {
  switch (credential) {
    case "none":
      return {};
    case "token":
      return { authorization: `Bearer ${await issuer.token(person.login, clientID)}` };
    case "session": {
      const browser = webSession({ ca: issuer.ca, addresses: { localhost: "127.0.0.1" } });
      const page = `http://localhost:${port}/${method.name === "oidc" ? "login" : ""}`;
      const { status, url } = await browser.signIn(page, person.login, person.password);
      if (status !== 200 || url.searchParams.has("error"))
        throw new Error(`The login at ${method.name} ends at ${url.href} with ${status}.`);
      return { cookie: browser.cookies(page) };
    }
    case "password":
      return { authorization: basic(method.name === "ldap" ? directoryUser : await createdUser(port)) };
  }
}

async function createdUser(port: number): Promise<typeof user> {
  const administrator = httpClient(port, {
    authorization: basic({ username: "admin", password: "generated-password" }),
  });
  const { status, body } = await administrator.send({ path: "/api/2.0/mlflow/users/create", body: user });
  administrator.close();
  if (status !== 200 && !body.includes("RESOURCE_ALREADY_EXISTS")) throw new Error(`users/create: ${status} ${body}`);
  return user;
}

const basic = ({ username, password }: typeof user) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

async function callsOf(
  { method, port }: PreparedServer,
  headers: Client["headers"],
): Promise<Pick<Client, "calls" | "artifactPath">> {
  const client = httpClient(port, headers);
  const base = method.name === "prefix" ? prefix : "";
  const api = `${base}/api/2.0/mlflow`;
  const experiment = JSON.parse(
    await client.sent({ path: `${api}/experiments/create`, body: { name: `bench-${randomBytes(4).toString("hex")}` } }),
  );
  const { experiment_id } = experiment;
  const start = { experiment_id, start_time: Date.now() };
  const { run } = JSON.parse(await client.sent({ path: `${api}/runs/create`, body: start }));
  client.close();
  let step = 0;
  const metric = (key: string) => ({ key, value: Math.random(), timestamp: Date.now(), step: step++ });
  const names = Array.from({ length: 100 }, (_, index) => `metric-${index}`);
  const spans = (count: number) => () => ({
    path: `${base}/v1/traces`,
    body: spansOf(count),
    headers: { "x-mlflow-experiment-id": experiment_id },
  });
  const calls: Client["calls"] = {
    "log-metric": () => ({ path: `${api}/runs/log-metric`, body: { run_id: run.info.run_id, ...metric("loss") } }),
    "log-batch": () => ({
      path: `${api}/runs/log-batch`,
      body: { run_id: run.info.run_id, metrics: names.map(metric) },
    }),
    search: () => ({ path: `${api}/experiments/search`, body: { max_results: 10 } }),
    "search-runs": () => ({
      path: `${api}/runs/search`,
      body: { experiment_ids: [experiment_id], max_results: 10 },
    }),
    OTLP: spans(1),
    "OTLP-100": spans(100),
  };
  const artifacts = `${base}/api/2.0/mlflow-artifacts/artifacts`;
  return { calls, artifactPath: `${artifacts}/${experiment_id}/${run.info.run_id}/artifacts/large` };
}

import type { TestContext } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { port } from "../../src/model/names.ts";
import { disguised, plain } from "../envoy/trace-paths.ts";
import { testedVersion } from "../live/live-cluster.ts";
import { adminOf, type LiveFixture, liveFixture } from "../live/live-fixture.ts";
import { startPostgresql } from "../live/postgresql-server.ts";
import { startS3 } from "../live/s3-server.ts";
import { spanOf } from "../live/span.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { type Caller, type MeshRequest, startCaller } from "./caller.ts";

/** A server, its writers' namespace and another one, in a cluster with Istio. */
export interface MeshFixture extends LiveFixture {
  /** The name of the server. */
  readonly name: string;
  /** The namespace of the writer, whose ServiceAccount is `collector`. */
  readonly agents: string;
  readonly elsewhere: string;
  readonly writers: readonly object[];
  /** Applies the server with these additional fields. */
  readonly serve: (more: object) => Promise<MlflowServer>;
  readonly caller: (namespace: string, name: string, labels?: Readonly<Record<string, string>>) => Promise<Caller>;
  /** POSTs a span to the server, or to another host. */
  readonly span: (more?: Partial<MeshRequest>) => MeshRequest;
  /** With MLflow's credential. */
  readonly spanWithCredential: (more?: Partial<MeshRequest>) => Promise<MeshRequest>;
  /** Waits until the mesh enforces the server's current spec. */
  readonly enforced: () => Promise<MlflowServer>;
}

/** The server has no volume, so its pods are replaced one by one. */
export async function meshFixture(context: TestContext): Promise<MeshFixture> {
  const name = "mlflow";
  const fixture = await liveFixture(context);
  const agents = await freshNamespace(fixture.cluster);
  const elsewhere = await freshNamespace(fixture.cluster);
  context.after(async () => {
    for (const namespace of [agents, elsewhere])
      await fixture.cluster.request("DELETE", `/api/v1/namespaces/${namespace}`);
  });
  const [postgresql, s3] = await Promise.all([startPostgresql(fixture), startS3(fixture)]);
  const spec = {
    version: testedVersion,
    backendStore: { postgresql: postgresql.database("mlflow") },
    artifactStore: { s3: s3.store },
    authentication: { basic: {} },
  };
  const host = `${name}.${fixture.namespace}`;
  const span: MeshFixture["span"] = ({ headers, ...more } = {}) => ({
    method: "POST",
    path: "/v1/traces",
    body: JSON.stringify(spanOf("of a test")),
    headers: { "content-type": "application/json", "x-mlflow-experiment-id": "0", ...headers },
    ...more,
  });
  return {
    ...fixture,
    name,
    agents,
    elsewhere,
    writers: [{ namespace: agents, serviceAccount: "collector" }],
    serve: (more) => fixture.apply({ metadata: { name }, spec: { ...spec, ...more } }),
    caller: (namespace, of, labels = {}) => startCaller(fixture.cluster, { namespace, name: of, labels, host }),
    span,
    spanWithCredential: async (more = {}) => {
      const { username, password } = await adminOf(fixture.objects, name);
      const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
      // MLflow accepts this host name at every address.
      return span({ ...more, headers: { authorization, host: `${host}:${port}`, ...more.headers } });
    },
    enforced: () => fixture.reason(name, "MeshReady", "MeshEnforced", 300),
  };
}

/** Each of the methods at each of the paths. */
export function each(methods: readonly string[], paths: readonly string[]): MeshRequest[] {
  return paths.flatMap((path) => methods.map((method) => ({ method, path })));
}

export function all(length: number, outcome: string): string[] {
  return Array<string>(length).fill(outcome);
}

/** Paths other than those of traces. */
export const others = ["/health", "/api/2.0/mlflow/experiments/search?max_results=1", "/V1/traces"];

/** Every encoding of the path; the first ones, as many as there are plain forms, are allowed to a writer. */
export const toTraces: readonly MeshRequest[] = [
  ...each(["POST"], plain),
  ...each(["GET"], plain),
  ...each(["POST", "GET"], disguised),
];

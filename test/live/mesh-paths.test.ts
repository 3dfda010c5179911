import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { encodedPath } from "../../src/reconcile/probe-results.ts";
import { sidecarPolicy, tracesRules } from "../../src/resources/mesh/policies.ts";
import { commonRules, disguised, plain } from "../envoy/trace-paths.ts";
import { type PathNormalization, startWaypoint, type Waypoint } from "../envoy/waypoint.ts";
import { server } from "../support/fixtures.ts";
import { seededRandom } from "../support/seeded-random.ts";

const writer = "cluster.local/ns/agents/sa/otel-collector";
const otherWorkloads = [
  "cluster.local/ns/agents/sa/otel-collector-2",
  "cluster.local/ns/evil/sa/otel-collector",
  "evil.local/ns/agents/sa/otel-collector",
];
const callers = [undefined, writer, ...otherWorkloads];
const prefix = "/clusters/c1/mlflow";
const protocols = ["HTTP/1.1", "HTTP/2"] as const;

const meshed = (spec: Partial<MlflowServerSpec> = {}) => {
  const traces = { writers: [{ namespace: "agents", serviceAccount: "otel-collector" }] };
  return server({ traces, mesh: { istio: { mode: "Ambient" } }, ...spec });
};
const rulesOf = (spec: Partial<MlflowServerSpec> = {}) => tracesRules(meshed(spec));
const ofSidecar = sidecarPolicy(meshed()).spec.rules ?? [];
const policies = {
  bare: rulesOf(),
  prefixed: rulesOf({ exposure: { externalURL: `https://platform.example.com${prefix}` } }),
  withoutWriters: rulesOf({ traces: { writers: [] } }),
  sidecar: ofSidecar,
  // As if this listener were another port of the pod.
  otherPort: JSON.parse(JSON.stringify(ofSidecar).replaceAll('"5000"', '"5001"')),
  common: commonRules(writer),
};
type Policy = keyof typeof policies;

const others = ["/", "/metrics", "/api/2.0/mlflow/runs/create", "/V1/traces", "/x%2f..%2fv1/traces"];

const intoPrefix = [
  "/%63lusters/c1/mlflow/v1/traces",
  "/clusters/./c1/mlflow/v1/traces",
  `${prefix}/../mlflow/v1/traces`,
].concat([`${prefix}/../../../v1/traces`]);
const likePrefix = ["/clusters%2fc1/mlflow/v1/traces", "/clusters%2Fc1%2Fmlflow/v1/traces", `${prefix}%2fv1/traces`]
  .concat(["/clusters//c1/mlflow/v1/traces", `/${prefix}/v1/traces`, "/%2fclusters/c1/mlflow/v1/traces"])
  .concat(["/clusters/c1%2fmlflow/v1/traces", "/clusters/c2/v1/traces"]);

describe("access through a waypoint or a sidecar", () => {
  let waypoint: Waypoint;
  before(async () => {
    waypoint = await startWaypoint(policies, [writer, ...otherWorkloads]);
  });
  after(() => waypoint?.close());

  async function statuses(policy: Policy, method: string, path: string): Promise<string> {
    const found: string[] = [];
    for (const protocol of protocols) {
      const each = callers.map((identity) => waypoint.ask(policy, { protocol, identity, method, path }));
      found.push((await Promise.all(each)).join(" "));
    }
    assert.equal(found[0], found[1], `${method} ${path}: HTTP/1.1 and HTTP/2 differ`);
    return found[0] ?? "";
  }
  const all = async (policy: Policy, methods: readonly string[], paths: readonly string[], expected: string) => {
    for (const path of paths)
      for (const method of methods)
        assert.equal(await statuses(policy, method, path), expected, `${policy}: ${method} ${path}`);
  };
  const writers = "403 200 403 403 403";
  const noCallers = "403 403 403 403 403";
  const allCallers = "200 200 200 200 200";
  const methods = ["POST", "GET"];

  for (const policy of ["bare", "prefixed", "sidecar"] as const) {
    const roots = policy === "prefixed" ? ["", prefix] : [""];
    const below = (paths: readonly string[]) => roots.flatMap((root) => paths.map((path) => root + path));

    test(`${policy}: allows POST from the writer with every spelling of the path`, () =>
      all(policy, ["POST"], below(plain), writers));
    test(`${policy}: denies other methods for all clients`, () =>
      all(policy, ["GET", "HEAD", "PUT", "OPTIONS", "DELETE"], below(["/v1/traces", "/v1/traces/x"]), noCallers));
    test(`${policy}: denies manipulated paths for all clients`, () =>
      all(policy, methods, below(disguised), noCallers));
    test(`${policy}: allows all clients on all other paths`, () => all(policy, methods, below(others), allCallers));
  }

  test("manipulated paths with the prefix are denied, too", async () => {
    await all("prefixed", ["POST"], intoPrefix, writers);
    await all("prefixed", methods, likePrefix, noCallers);
    await all("prefixed", methods, [prefix, `${prefix}/`], allCallers);
  });

  test("without writers traces are denied for all clients, and other paths stay open", async () => {
    await all("withoutWriters", methods, [...plain, ...disguised], noCallers);
    await all("withoutWriters", methods, others, allCallers);
  });

  test("a sidecar denies other ports of the pod for all clients", () =>
    all("otherPort", methods, [...plain, ...disguised, ...others], noCallers));

  test("the policy of common guides allows clients without an identity, so this test can fail", () =>
    all("common", ["POST"], ["/v1%2ftraces", "//v1/traces"], allCallers));
});

/** Returns random encodings of the path, with or without a prefix, of which some characters are encoded as well. */
function spellings(of: string, count: number): string[] {
  const random = seededRandom(17);
  return Array.from({ length: count }, () => {
    const before = [...of].map((character) => {
      if (character === "/" || random() < 0.9) return character;
      return `%${character.charCodeAt(0).toString(16)}`;
    });
    return `${before.join("")}${encodedPath(random)}`;
  });
}

for (const normalization of [
  "NONE",
  "BASE",
  "MERGE_SLASHES",
  "DECODE_AND_MERGE_SLASHES",
] as const satisfies PathNormalization[])
  describe(`with meshConfig.pathNormalization: ${normalization}`, () => {
    let waypoint: Waypoint;
    before(async () => {
      waypoint = await startWaypoint(policies, [writer, ...otherWorkloads], undefined, normalization);
    });
    after(() => waypoint?.close());

    const statusOf = (policy: Policy, identity: string | undefined, path: string) =>
      waypoint.ask(policy, { protocol: "HTTP/1.1", identity, method: "POST", path });

    for (const policy of ["bare", "prefixed", "withoutWriters", "sidecar"] as const)
      test(`${policy}: denies every random encoding of the path for a client that is not a writer`, async () => {
        const paths = ["", ...(policy === "prefixed" ? [prefix] : [])].flatMap((root) => spellings(root, 40));
        await Promise.all(
          [...paths, ...disguised].map(async (path) =>
            assert.equal(await statusOf(policy, otherWorkloads[0], path), 403, path),
          ),
        );
      });

    test("allows the writer on the plain path, and every client on other paths", async () => {
      for (const policy of ["bare", "prefixed", "sidecar"] as const) {
        assert.equal(await statusOf(policy, writer, "/v1/traces"), 200);
        for (const path of ["/", "/metrics", "/api/2.0/mlflow/runs/create", "/version", "/v2/x", "/clust"])
          assert.equal(await statusOf(policy, undefined, path), 200, `${policy}: ${path}`);
      }
      assert.equal(await statusOf("prefixed", writer, `${prefix}/v1/traces`), 200);
    });

    test("the policy of common guides allows random encodings, so this test can fail", async () => {
      const found = await Promise.all(spellings("", 100).map((path) => statusOf("common", undefined, path)));
      if (normalization !== "DECODE_AND_MERGE_SLASHES") assert.ok(found.includes(200));
    });
  });

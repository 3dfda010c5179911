import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { resourceSchema } from "../../src/api/resource-schema.ts";
import type { MlflowServer } from "../../src/api/server.ts";
import { validate } from "../../src/api/validation.ts";
import { hostIndex } from "../../src/client/host-index.ts";
import { referencesOf } from "../../src/features/references.ts";
import { resolve } from "../../src/features/resolve.ts";
import { encoded } from "../../src/kube/data.ts";
import type { ConfigMap, Manifest, Owned, Secret } from "../../src/kube/manifests.ts";
import { finalizer } from "../../src/kube/names.ts";
import { routeKinds } from "../../src/model/exposure.ts";
import { exposureOf } from "../../src/reconcile/exposure.ts";
import { hostConflict } from "../../src/reconcile/host-conflict.ts";
import { meshOf } from "../../src/reconcile/mesh.ts";
import type { ObservedState } from "../../src/reconcile/observed-state.ts";
import { outcomeOf } from "../../src/reconcile/outcome.ts";
import { isCrossNamespace } from "../../src/reconcile/ownership.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import { failedChecks } from "../../src/reconcile/preflight-checks.ts";
import { listenerDeletions } from "../../src/reconcile/prune-steps.ts";
import { statusOf } from "../../src/reconcile/status.ts";
import { tracesEndpoints } from "../../src/reconcile/traces-endpoints.ts";
import { changed, type Document, rightDocuments } from "../api/documents.ts";
import { textLeaves } from "../api/text-leaves.ts";
import { all, completedJob, inputs } from "../support/fixtures.ts";

const schema = resourceSchema();

/** Hosts at the limits of what URL parsers accept. */
const hosts = [
  ...["1.2.3.4.5", "mlflow.1", "1", "0x", "a.0x1", "256.256.256.256", "1.2.3.04", "08.1.1.1", "a.1.", "a..b", ".", "-"],
  ...[
    "xn--.com",
    "xn--a.com",
    "[::1]",
    "[:::]",
    "[1.2]",
    "[::ffff:1.2.3.4]",
    "[1:2:3:4::5:6:7:8:9]",
    "_",
    "a_b.example.com",
    "a.",
    "é.com",
  ],
  "a".repeat(64),
  Array.from({ length: 60 }, () => "abc").join("."),
];
const ports = [":0", ":1", ":65535", ":65536", ":99999"];

/** Various strings, and the value itself with another host, port or suffix. */
function candidates(value: string): string[] {
  const [, scheme = "", rest = ""] = /^([a-z]+:\/\/)[^/]*(.*)$/s.exec(value) ?? [];
  const urls = [...hosts, ...ports.map((port) => `example.com${port}`), ...ports.map((port) => `[::1]${port}`)].map(
    (place) => `${scheme}${place}${rest}`,
  );
  const others = ["%", "$(HOME)", "a=b", "9".repeat(20), "..", `${value}/..`, value.repeat(3)];
  return [...(scheme !== "" ? urls : value.includes(".") ? hosts.slice(0, 6) : []), ...others];
}

function referenced({ spec }: MlflowServer): (Secret | ConfigMap)[] {
  return referencesOf(spec).map(({ kind, name, keys }) => {
    const data = Object.fromEntries(keys.map((key) => [key, `value of ${key}`]));
    const metadata = { name, namespace: "team-a" };
    return kind === "Secret"
      ? { apiVersion: "v1", kind, metadata, data: encoded(data) }
      : { apiVersion: "v1", kind, metadata, data };
  });
}

/** Indexes that other servers depend on, which must accept any spec. */
function indexed(server: MlflowServer): void {
  const index = hostIndex(() => undefined);
  const key = { namespace: "team-a", name: "demo" };
  index.noted(key, server);
  const competitor = { ...server, metadata: { ...server.metadata, name: "competitor", uid: "uid-of-competitor" } };
  index.noted({ ...key, name: "competitor" }, competitor);
  assert.ok(index.competitors(key).length <= 1);
  hostConflict(competitor, [server]);
}

/** All other processing of a spec, up to the status: each step that could throw. */
function processed(server: MlflowServer, owned: readonly Owned[] = []) {
  const otherResources: [] = [];
  const mesh = meshOf({
    server,
    owned,
    unmanaged: [],
    otherResources,
    isAvailable: true,
    probes: () => undefined,
    evidence: { now: new Date(0) },
  });
  const exposure = exposureOf({ server, owned, competitors: [], known: new Set(routeKinds) });
  tracesEndpoints(server, owned);
  const of = { ...inputs(server, referenced(server)), routes: exposure.routes };
  const observed: ObservedState = {
    server,
    owned,
    unmanaged: [],
    granted: [],
    mesh: mesh.condition,
    exposure,
    references: of.references,
    model: resolve(of),
    installation: of.installation,
    isMutatedByAdmission: () => false,
    now: new Date(0),
  };
  const blocker = failedChecks(observed).find(({ reason }) => reason === "InvalidURL");
  listenerDeletions(observed);
  const plan = planOf(observed);
  statusOf(observed, outcomeOf(observed, plan));
  return { blocker, plan, manifests: all(of) };
}

function serverOf(document: Document): MlflowServer {
  const { spec } = document;
  const metadata = { name: "demo", namespace: "team-a", uid: "uid-of-demo", generation: 1 };
  return JSON.parse(JSON.stringify({ ...document, metadata, spec: { replicas: 1, ...Object(spec) } }));
}

const applied = (manifest: Manifest): Owned => (manifest.kind === "Job" ? completedJob(manifest) : manifest);

const leaves = Object.values(rightDocuments).flatMap((document) =>
  textLeaves(document, schema).map((leaf) => ({ document, ...leaf })),
);
const one = [...new Map(leaves.map((leaf) => [leaf.schemaPath, leaf])).values()];

describe("a spec with an unexpected string", () => {
  for (const { schemaPath, path, document, value } of one) {
    test(`in ${schemaPath} makes no builder or check throw if the schema admits it, and no index in any case`, () => {
      for (const text of candidates(value)) {
        const mutant = changed(document, { [path]: text });
        indexed(serverOf(mutant));
        try {
          const { blocker } = processed(serverOf(mutant));
          // The schema admits all strings that look like a name, and addresses with too many groups, which are checked later.
          if (blocker !== undefined && !/xn--|::5:6:7:8:9\]/.test(text)) {
            const decideUpgrade = validate(mutant);
            assert.ok("problems" in decideUpgrade, `the schema admits ${text}: ${blocker.message}`);
          }
        } catch (error) {
          // A builder may throw for a spec that the schema would reject; the server then reports ReconcileFailed.
          const isAdmitted = "server" in validate(mutant);
          if (isAdmitted)
            assert.fail(`${path}: ${JSON.stringify(text)}: ${error instanceof Error ? error.stack : error}`);
        }
      }
    });
  }

  for (const [name, document] of Object.entries(rightDocuments)) {
    test(`leaves nothing to apply once all is applied: ${name}`, () => {
      const server = serverOf(document);
      const { manifests } = processed(server);
      const held = manifests.some((manifest) => isCrossNamespace(manifest, server)) ? { finalizers: [finalizer] } : {};
      const settled = { ...server, metadata: { ...server.metadata, ...held } };
      const { plan } = processed(settled, manifests.map(applied));
      assert.deepEqual(
        plan.groups.flat().map((step) => ("manifest" in step ? `${step.do} ${step.manifest.kind}` : step.do)),
        [],
      );
    });
  }
});

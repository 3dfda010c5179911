import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowBackup } from "../../src/api/backup.ts";
import { apiVersion, type MlflowServer } from "../../src/api/server.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Manifest } from "../../src/kube/manifests.ts";
import { longestServerName } from "../../src/kube/names.ts";
import { objectNames } from "../../src/model/names.ts";
import { namingConflictOf, ownershipOf } from "../../src/reconcile/ownership.ts";
import { backupJob } from "../../src/resources/backup-job.ts";
import { preflightJob } from "../../src/resources/migration-job.ts";
import { restoreJob } from "../../src/resources/restore-job.ts";
import { encryptionRotation, rotationJob } from "../../src/resources/rotation-job.ts";
import { all, inputs, jobOf, postgresql, server } from "../support/fixtures.ts";

const traces: MlflowServerSpec["traces"] = {
  writers: [{ namespace: "agents", serviceAccount: "otel-collector" }],
  identity: "Mesh",
};
const exposure = {
  externalURL: "https://ml.example.com",
  ingress: {},
  httpRoute: { parentRefs: [{ name: "gateway" }] },
};

/** Together they have every kind of object. */
const specs: readonly Partial<MlflowServerSpec>[] = [
  {
    replicas: 2,
    backendStore: { postgresql },
    traces,
    exposure,
    mesh: { istio: { mode: "Ambient" } },
    workspaces: {},
    garbageCollection: { schedule: "0 2 * * 0" },
  },
  { traces, exposure, mesh: { istio: { mode: "Sidecar" } }, deletionPolicy: "Retain" },
  {
    authentication: {
      oauth2Proxy: {
        issuerURL: "https://dex.example.com",
        clientID: "mlflow",
        authorization: { kubernetes: { accessReview: "SubjectAccessReview" } },
      },
    },
    deletionPolicy: "Retain",
  },
];

const called = (name: string): readonly MlflowServer[] =>
  specs.map((spec) => server(spec, { metadata: { name, namespace: "team-a", uid: `uid-of-${name}`, generation: 1 } }));

const idOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
const hashes = called("a").map((of) => jobOf(inputs(of)).metadata.name.slice("a".length));

/** Suffixes with which a name is that of another server's object, or a part of it. */
const suffixes = [
  ...Object.values(objectNames).flatMap((name) =>
    typeof name === "function" && name.length === 1 ? [String(Reflect.apply(name, undefined, [""]))] : [],
  ),
  ...["-from", "-only", "-trace", "-reviewer", ...hashes],
];
const lengthened = (names: readonly string[]) => names.flatMap((name) => ["", ...suffixes].map((more) => name + more));
const names = [...new Set(lengthened(lengthened(["a"])))].filter((name) => name.length <= longestServerName);

const destination = { persistentVolumeClaim: { claimName: "backups" } };

/** The Jobs of a server that are not part of its desired objects. */
function jobsOf(of: MlflowServer): Manifest[] {
  const model = resolve(inputs(of));
  const { name, namespace } = of.metadata;
  const backup: MlflowBackup = {
    apiVersion,
    kind: "MlflowBackup",
    metadata: { name: "nightly", namespace, uid: "uid-of-nightly", creationTimestamp: "2026-11-30T06:00:00Z" },
    spec: { serverRef: { name }, destination },
  };
  const rotation = encryptionRotation(model, "encryption-key");
  return [
    preflightJob(model, "start"),
    backupJob(model, backup),
    restoreJob(model, backup),
    rotationJob(model, rotation),
  ];
}

const written = names
  .flatMap(called)
  .flatMap((of) => [...all(inputs(of)), ...jobsOf(of)].map((object) => ({ of, object })));
const shared = [...Map.groupBy(written, ({ object }) => idOf(object)).values()].filter(
  (all) => new Set(all.map(({ of }) => of.metadata.name)).size > 1,
);

describe("names of objects of two servers in one namespace", () => {
  test("are equal only for a server and one with the name of its listener for traces", () => {
    const collisions = shared.map((all) => {
      const [first = "", second = "", ...more] = [...new Set(all.map(({ of }) => of.metadata.name))].sort();
      assert.deepEqual([second, more], [objectNames.listener(first), []]);
      return all[0]?.object.kind;
    });
    assert.deepEqual([...new Set(collisions)].sort(), ["Deployment", "NetworkPolicy", "Service", "ServiceAccount"]);
  });

  test("give neither server ownership of the other's objects, and the message names the owner", () => {
    for (const all of shared) {
      for (const { object, of } of all) {
        for (const other of all.filter((each) => each.of.metadata.name !== of.metadata.name)) {
          assert.equal(ownershipOf(object, other.of), "unmanaged", idOf(object));
          const { reason, message } = namingConflictOf(object, other.of) ?? {};
          assert.equal(reason, "NameConflict");
          assert.match(message ?? "", new RegExp(`^${object.kind}/.* belongs to MlflowServer/${of.metadata.name}, `));
        }
      }
    }
  });

  test("are all covered", () => {
    const seen = new Set(written.map(({ object }) => object.metadata.name));
    for (const [what, name] of Object.entries(objectNames)) {
      if (what === "roleBinding" || what === "client" || typeof name === "string") continue;
      if (what.endsWith("Job")) {
        const beginning = String(Reflect.apply(name, undefined, ["a", ""]));
        assert.ok([...seen].some((each) => each.startsWith(beginning) && each !== beginning));
        continue;
      }
      const [first, second] = what.endsWith("Binding") ? ["team-a", "a"] : ["a", ""];
      assert.ok(seen.has(String(Reflect.apply(name, undefined, [first, second]))), what);
    }
  });
});

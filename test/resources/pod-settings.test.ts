import assert from "node:assert/strict";
import { test } from "node:test";
import type { V1PodSpec } from "@kubernetes/client-node";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { all, inputs, postgresql, server } from "../support/fixtures.ts";

/** The pods of a server by the name of the object that creates them. */
function podsOf(spec: Partial<MlflowServerSpec>): Map<string, V1PodSpec> {
  const manifests = all(inputs(server(spec))).filter(({ kind }) => kind === "Deployment" || kind === "Job");
  return new Map(
    manifests.map((each): [string, V1PodSpec] => [each.metadata.name, Object(each).spec.template.spec as V1PodSpec]),
  );
}

const withListener: Partial<MlflowServerSpec> = {
  backendStore: { postgresql },
  mesh: { istio: { mode: "Ambient" } },
  traces: { identity: "Mesh", writers: [{ namespace: "agents", serviceAccount: "agent" }] },
};

const pod = {
  runtimeClassName: "gvisor",
  schedulerName: "my-scheduler",
  hostAliases: [{ ip: "10.1.2.3", hostnames: ["db.example.com"] }],
  dnsConfig: { searches: ["corp.example.com"], options: [{ name: "ndots" as const, value: "2" }] },
};

test("runtime class, scheduler and name resolution are those of the spec in all pods: of the server, its migration and its listener", () => {
  const pods = podsOf({ ...withListener, pod });
  assert.equal(pods.size, 3, [...pods.keys()].join());
  for (const [name, spec] of pods) {
    const { runtimeClassName, schedulerName, hostAliases, dnsConfig } = spec;
    assert.deepEqual({ runtimeClassName, schedulerName, hostAliases, dnsConfig }, pod, name);
  }
});

test("without them pods have those of the cluster", () => {
  for (const [name, spec] of podsOf(withListener))
    for (const field of ["runtimeClassName", "schedulerName", "hostAliases", "dnsConfig", "dnsPolicy"])
      assert.ok(!(field in spec), `${name}: ${field}`);
});

test("MLflow has five minutes to start, or the time of the spec, and the rollout does not fail before", () => {
  const startOf = (spec: Partial<MlflowServerSpec>) => {
    const found = all(inputs(server(spec))).find((each) => each.kind === "Deployment");
    const probe = found?.spec.template.spec?.containers[0]?.startupProbe;
    return [(probe?.periodSeconds ?? 0) * (probe?.failureThreshold ?? 0), found?.spec.progressDeadlineSeconds];
  };
  assert.deepEqual(startOf({}), [300, 600]);
  assert.deepEqual(startOf({ pod: { startupTimeout: "20m" } }), [1200, 1500]);
  const oauth2Proxy = {
    issuerURL: "https://dex.example.com/dex",
    clientID: "mlflow",
    authorization: { allAuthenticatedUsers: {} },
  };
  assert.deepEqual(startOf({ pod: { startupTimeout: "61s" }, authentication: { oauth2Proxy } }), [65, 600]);
});

test("user and group are those of the image, or nothing is asked for where the platform assigns them", () => {
  for (const [userIDs, user] of [
    ["fixed", 1000],
    ["namespace", undefined],
  ] as const) {
    const given = inputs(server(withListener));
    const manifests = all({ ...given, installation: { ...given.installation, userIDs } });
    const pods = manifests.filter(({ kind }) => kind === "Deployment" || kind === "Job");
    assert.equal(pods.length, 3);
    for (const each of pods) {
      const { securityContext } = Object(each).spec.template.spec as V1PodSpec;
      const { runAsNonRoot, runAsUser, runAsGroup, fsGroup, fsGroupChangePolicy } = securityContext ?? {};
      assert.deepEqual([runAsNonRoot, fsGroupChangePolicy], [true, "OnRootMismatch"]);
      assert.deepEqual([runAsUser, runAsGroup, fsGroup], [user, user, user]);
    }
  }
});

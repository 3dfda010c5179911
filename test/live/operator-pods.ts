import assert from "node:assert/strict";
import type { Pod } from "../../src/kube/manifests.ts";
import type { Cluster } from "../cluster/start-cluster.ts";
import { type Objects, objects } from "../support/objects.ts";
import { condition } from "../support/operator-fixture.ts";
import { server } from "../support/servers.ts";
import { waitUntil } from "./wait-until.ts";

/** The operator's pods in the namespace of its installation. */
export interface OperatorPods {
  /** Waits until two pods are Ready and one of them holds the Lease; returns that one first. */
  readonly leaderAndOther: (seconds?: number) => Promise<readonly [Pod, Pod]>;
  /** Creates a server in `tenant` and waits until the leader has reconciled it. */
  readonly worksOn: (tenant: Objects, name: string, seconds?: number) => Promise<void>;
  /** Returns the logs of the pods, for a failed test. */
  readonly logs: () => Promise<string>;
}

export const operatorName = "mlflow-operator";

export function operatorPods(cluster: Cluster, namespace: string): OperatorPods {
  const own = objects(cluster, namespace);
  const leaderAndOther = async (): Promise<readonly [Pod, Pod]> => {
    const pods = (await own.list("Pod")).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    assert.equal(pods.length, 2, pods.map(({ metadata }) => metadata.name).join(", "));
    for (const { metadata, status } of pods) {
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      assert.equal(ready?.status, "True", `Pod/${metadata.name} is not ready: ${ready?.message}`);
    }
    const holder = (await own.the("Lease", operatorName)).spec?.holderIdentity ?? "";
    const isLeader = ({ metadata }: Pod) => holder.startsWith(`${metadata.name}_`);
    const [leader, other] = [pods.find(isLeader), pods.find((pod) => !isLeader(pod))];
    assert.ok(leader !== undefined && other !== undefined, `the Lease is held by "${holder}"`);
    return [leader, other];
  };
  return {
    leaderAndOther: (seconds = 180) => waitUntil(leaderAndOther, seconds),
    worksOn: async (tenant, name, seconds = 180) => {
      await tenant.create("MlflowServer", waiting(name));
      await waitUntil(() => assertReconciled(tenant, name), seconds);
    },
    logs: async () => {
      const args = ["logs", "--namespace", namespace, "--selector", `app.kubernetes.io/name=${operatorName}`];
      return (await cluster.kubectl([...args, "--prefix", "--tail=25"])).stdout;
    },
  };
}

/** Asserts that the operator has reported on a server made by {@link waiting}. */
export async function assertReconciled(tenant: Objects, name: string): Promise<void> {
  assert.equal(condition(await tenant.the("MlflowServer", name), "Ready").reason, "SecretNotFound");
}

/** Returns a server without pods: it waits for a Secret that does not exist. */
export const waiting = (name: string) =>
  server(name, { "spec.backendStore": { uriSecretRef: { name: "missing", key: "uri" } } });

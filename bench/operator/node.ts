import { credentialsFor } from "../../src/kube/client/api-access.ts";
import { type ApiClient, apiClient } from "../../src/kube/client/api-client.ts";
import { ListWatch } from "../../src/kube/client/list-watch.ts";
import { Store } from "../../src/kube/client/store.ts";
import { kinds, resourcePath } from "../../src/kube/kinds.ts";
import type { Deployment, Job } from "../../src/kube/manifests.ts";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { mergePatch } from "../admin-request.ts";

/**
 * Simulates nodes and controllers: each Job completes and each Deployment is rolled out immediately, so that
 * only the operator is measured.
 */
export async function startNode(cluster: ClusterAccess): Promise<{ stop(): void }> {
  const kubeconfig = await cluster.kubeconfigFor({ name: "bench-node", groups: ["system:masters"] });
  const client = apiClient({ credentials: credentialsFor({ kubeconfig }), userAgent: "bench-node" });
  const watch = <T extends Job | Deployment>(kind: "Job" | "Deployment", sink: Store<T>) => {
    const { apiVersion, plural } = kinds[kind];
    return new ListWatch(client, { name: plural, path: resourcePath(kind), apiVersion, kind }, sink);
  };
  const watches = [
    watch("Job", new Store<Job>((change, job) => change !== "deleted" && complete(client, job))),
    watch(
      "Deployment",
      new Store<Deployment>((change, deployment) => change !== "deleted" && rollOut(client, deployment)),
    ),
  ];
  return {
    stop: () => {
      for (const each of watches) each.stop();
      client.close();
    },
  };
}

function complete(client: ApiClient, job: Job): void {
  if (job.metadata.deletionTimestamp) {
    // As the garbage collector does for a Job that is deleted in the foreground without pods.
    const { namespace, name } = job.metadata;
    patch(client, resourcePath("Job", namespace, name), { metadata: { finalizers: null } });
    return;
  }
  if (job.status?.conditions?.length) return;
  const now = new Date().toISOString();
  const condition = (type: string) => ({ type, status: "True", lastProbeTime: now, lastTransitionTime: now });
  patchStatus(client, job, {
    startTime: now,
    completionTime: now,
    succeeded: 1,
    conditions: [condition("SuccessCriteriaMet"), condition("Complete")],
  });
}

function rollOut(client: ApiClient, deployment: Deployment): void {
  const { generation } = deployment.metadata;
  if (deployment.status?.observedGeneration === generation || deployment.metadata.deletionTimestamp) return;
  const replicas = deployment.spec.replicas ?? 1;
  patchStatus(client, deployment, {
    observedGeneration: generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: replicas,
    availableReplicas: replicas,
    conditions: [
      { type: "Available", status: "True", reason: "MinimumReplicasAvailable" },
      { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" },
    ],
  });
}

function patchStatus(client: ApiClient, { kind, metadata }: Job | Deployment, status: object): void {
  patch(client, resourcePath(kind, metadata.namespace, metadata.name, "status"), { status });
}

function patch(client: ApiClient, path: string, body: object): void {
  client
    .request({ method: "PATCH", path, contentType: mergePatch, body })
    .catch((error) => console.error(`The node simulation failed: ${error}`));
}

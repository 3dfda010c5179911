import { join } from "node:path";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import type { ControlPlane } from "../../test/control-plane/control-plane.ts";
import type { FaultProxy } from "../../test/support/fault-proxy.ts";
import { adminRequest } from "../admin-request.ts";
import type { CountingRelay } from "../relay.ts";
import { podEnvironment } from "../service-account.ts";
import { accountOf, type Entry, home, type Subject, subject } from "./subject.ts";

/** The environment of the comparison. */
export interface Harness {
  readonly controlPlane: ControlPlane;
  readonly proxy: FaultProxy;
  /** Counts sockets, for the bursts. */
  readonly relay: CountingRelay;
  readonly resultsFolder: string;
  readonly say: (line: string) => void;
}

/** Creates a service account with all permissions for each implementation. */
export async function grantAll(cluster: ClusterAccess, entries: readonly Entry[]): Promise<void> {
  await adminRequest(cluster, "POST", "/api/v1/namespaces", { metadata: { name: home } });
  const names = entries.map(accountOf);
  for (const name of names)
    await adminRequest(cluster, "POST", `/api/v1/namespaces/${home}/serviceaccounts`, { metadata: { name } });
  await adminRequest(cluster, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "bench" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: names.map((name) => ({ kind: "ServiceAccount", name, namespace: home })),
  });
}

/** Starts an implementation; `server` is the API server or a proxy in front of it. */
export async function startSubject(
  harness: Harness,
  chosen: Entry,
  namespace: string,
  server: string,
): Promise<Subject> {
  const serviceAccount = accountOf(chosen);
  const environment = {
    ...(await podEnvironment(harness.controlPlane, home, serviceAccount, server)),
    KUBECONFIG: await harness.controlPlane.kubeconfigFor({ serviceAccount, namespace: home }, server),
  };
  return subject(chosen, namespace, environment, join(harness.resultsFolder, `${serviceAccount}.log`));
}

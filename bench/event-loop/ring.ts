import { join } from "node:path";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import type { ControlPlane } from "../../test/control-plane/control-plane.ts";
import type { FaultProxy } from "../../test/support/fault-proxy.ts";
import { asked } from "../asked.ts";
import type { CountingRelay } from "../relay.ts";
import { podEnvironment } from "../service-account.ts";
import { accountOf, type Contestant, contestant, type Entry, home } from "./contestant.ts";

/** Where contestants meet. */
export interface Ring {
  readonly controlPlane: ControlPlane;
  readonly proxy: FaultProxy;
  /** For the bursts: it only counts sockets. */
  readonly relay: CountingRelay;
  readonly resultsFolder: string;
  readonly say: (line: string) => void;
}

/** A service account for each entry, with all rights. */
export async function grantAll(cluster: ClusterAccess, entries: readonly Entry[]): Promise<void> {
  await asked(cluster, "POST", "/api/v1/namespaces", { metadata: { name: home } });
  const names = entries.map(accountOf);
  for (const name of names)
    await asked(cluster, "POST", `/api/v1/namespaces/${home}/serviceaccounts`, { metadata: { name } });
  await asked(cluster, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "bench" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: names.map((name) => ({ kind: "ServiceAccount", name, namespace: home })),
  });
}

/** Starts an entry; `server` is the API server, or what stands before it. */
export async function enter(ring: Ring, chosen: Entry, namespace: string, server: string): Promise<Contestant> {
  const serviceAccount = accountOf(chosen);
  const environment = {
    ...(await podEnvironment(ring.controlPlane, home, serviceAccount, server)),
    KUBECONFIG: await ring.controlPlane.kubeconfigFor({ serviceAccount, namespace: home }, server),
  };
  return contestant(chosen, namespace, environment, join(ring.resultsFolder, `${serviceAccount}.log`));
}

import type { MlflowServer } from "../api/server.ts";
import { keyText } from "../kube/object.ts";
import { objectNames } from "../model/names.ts";
import type { Cluster } from "./cluster.ts";
import { isPaused } from "./conditions/paused.ts";
import { otherOperator } from "./other-operator.ts";
import { ownershipOf } from "./ownership.ts";
import { isRolledOut } from "./rollout.ts";
import type { UpgradeMember } from "./upgrade.ts";
import { markerIn } from "./upgrade-marker.ts";

/** The servers that an upgrade of the operator can change or waits for, from the caches, without a request. */
export function upgradeMembers(
  cluster: Pick<Cluster, "identity" | "servers" | "deployment" | "startingUpgrades">,
): UpgradeMember[] {
  const starting = cluster.startingUpgrades();
  return [...cluster.servers()].flatMap((server) => memberOf(cluster, starting, server) ?? []);
}

function memberOf(
  cluster: Pick<Cluster, "identity" | "deployment">,
  starting: ReadonlySet<string>,
  server: MlflowServer,
): UpgradeMember | undefined {
  const { namespace, name, deletionTimestamp } = server.metadata;
  // An administrator can pause a failed server to leave it out.
  if (deletionTimestamp !== undefined || isPaused(server)) return undefined;
  if (otherOperator(cluster, server) !== undefined) return undefined;
  const deployment = cluster.deployment({ namespace, name: objectNames.deployment(name) });
  if (deployment === undefined || ownershipOf(deployment, server) !== "owned") return undefined;
  const condition = (type: string) => server.status?.conditions?.find((each) => each.type === type);
  const further = cluster.deployment({ namespace, name: objectNames.artifactServer(name) });
  const isComplete = isRolledOut(deployment) && (further === undefined || isRolledOut(further));
  const isStalled = condition("Stalled")?.status === "True";
  const pending = condition("UpgradePending");
  // What waits for approval or its maintenance window must not delay others.
  const waits = pending?.reason === "UpgradeWaiting" || pending?.reason === "UpgradeStopped";
  const { replicas = 1, paused } = deployment.spec;
  return {
    namespace,
    name,
    marker: markerIn(deployment),
    isComplete,
    isCanary: isComplete && !isStalled && replicas > 0 && paused !== true,
    isStalled,
    waitingSince: waits ? pending?.lastTransitionTime : undefined,
    isStarting: starting.has(keyText({ namespace, name: objectNames.deployment(name) })),
  };
}

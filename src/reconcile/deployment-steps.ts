import type { Deployment, Manifest } from "../kube/manifests.ts";
import { annotation, group as ownGroup } from "../kube/names.ts";
import type { Stage } from "../resources/index.ts";
import { databaseVolume } from "./migration-steps.ts";
import { isSame } from "./object-steps.ts";
import type { ObservedState } from "./observed-state.ts";
import { ownershipOf } from "./ownership.ts";
import { isRolledOut as isDeploymentRolledOut } from "./rollout.ts";
import { deploymentOf, servingDeployments } from "./server-workload.ts";
import type { Step } from "./step.ts";

/** Scales Deployments to zero for a change. The annotation of the server's says for which, so that the change continues in any case. */
export function stopSteps(deployments: readonly Deployment[], { model }: ObservedState): Step[] {
  return deployments.map((live): Step => {
    const { metadata, ...rest } = withReplicas(live, 0);
    const annotations = { ...metadata.annotations, [annotation.stoppedFor]: model.migration.job };
    return { do: "apply", manifest: { ...rest, metadata: { ...metadata, annotations } }, live };
  });
}

/** Starts pods that were stopped for a change, with the template of the previous version. */
export function startSteps(deployments: readonly Deployment[], wanted: readonly Manifest[]): Step[] {
  return deployments.flatMap((live): Step[] => {
    const same = wanted.find((each): each is Deployment => each.kind === "Deployment" && isSame(live, each));
    const { replicas = 1 } = same?.spec ?? {};
    if (same === undefined || replicas === 0) return [];
    const { metadata, ...rest } = withReplicas(live, replicas);
    const { [annotation.stoppedFor]: _, ...annotations } = metadata.annotations ?? {};
    return [{ do: "apply", manifest: { ...rest, metadata: { ...metadata, annotations } }, live }];
  });
}

export function withDeployment(wanted: Record<Stage, Manifest[]>, deployment: Deployment): Record<Stage, Manifest[]> {
  const workload = wanted.workload.map((each) => (isSame(deployment, each) ? deployment : each));
  return { ...wanted, workload };
}

/** A change of a Deployment, reduced to its number of pods. */
export function scaleSteps({ spec: { replicas } }: Deployment, steps: readonly Step[]): Step[] {
  return steps.flatMap((step): Step[] => {
    if (step.do !== "apply" || step.live.kind !== "Deployment") return [step];
    if (step.live.spec.replicas === replicas) return [];
    return [{ ...step, manifest: withReplicas(step.live, replicas) }];
  });
}

/** Stops the pods of the server if the migration could not mount its volume otherwise. */
export function stopStep(observed: ObservedState): Step[] {
  const { server } = observed;
  if (databaseVolume(observed)?.isOfOnePod !== true) return [];
  const live = deploymentOf(observed);
  if (live === undefined || live.spec.replicas === 0 || ownershipOf(live, server) !== "owned") return [];
  return [{ do: "apply", manifest: withReplicas(live, 0), live }];
}

/** The live Deployment with another number of replicas, without the fields of its controller. */
function withReplicas(live: Deployment, replicas: number | undefined): Deployment {
  const { name, namespace, labels, annotations = {}, ownerReferences } = live.metadata;
  const own = Object.entries(annotations).filter(([key]) => key.startsWith(`${ownGroup}/`));
  return {
    apiVersion: live.apiVersion,
    kind: live.kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(labels && { labels }),
      annotations: Object.fromEntries(own),
      ...(ownerReferences && { ownerReferences }),
    },
    spec: { ...live.spec, ...(replicas !== undefined && { replicas }) },
  };
}

/** Not that of a deleted server with the same name, which is about to be deleted. */
export function ownDeploymentIn(observed: ObservedState): Deployment | undefined {
  const live = deploymentOf(observed);
  return live !== undefined && ownershipOf(live, observed.server) === "owned" ? live : undefined;
}

/**
 * Whether all pods run the Deployment's spec. Routes are created only then: pods of an earlier spec may not require
 * authentication, or not serve the prefix.
 */
export function isRolledOut(observed: ObservedState): boolean {
  return deploymentOf(observed) !== undefined && servingDeployments(observed).every(isDeploymentRolledOut);
}

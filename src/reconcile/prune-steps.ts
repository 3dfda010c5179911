import type { Manifest, Owned } from "../kube/manifests.ts";
import { finalizer } from "../kube/names.ts";
import { objectNames } from "../model/names.ts";
import { meshStepOf } from "../resources/mesh/index.ts";
import { isRoute, servicesOf } from "./exposure.ts";
import { listenerOf } from "./mesh-view.ts";
import { deletionsOf, isSame, type LiveObjects } from "./object-steps.ts";
import type { ObservedState } from "./observed-state.ts";
import { isCrossNamespace, isStored, type NamingConflict, namingConflictOf, ownershipOf } from "./ownership.ts";
import type { Step } from "./step.ts";

/** The deletion of a listener for traces that must stop: a step that waits for nothing, regardless of other problems of the server. */
export function listenerDeletions({ owned, server, model }: ObservedState): Step[] {
  const listener = listenerOf({ owned, server });
  if (listener === undefined || model.mesh.steps.has("listener") || ownershipOf(listener, server) !== "owned")
    return [];
  return [{ do: "delete", live: listener }];
}

/** The first of the objects that has the name of a desired one and cannot become it. */
export function firstNamingConflict(
  wanted: readonly Manifest[],
  objects: readonly Owned[],
  { server }: ObservedState,
): NamingConflict | undefined {
  return objects
    .filter((live) => wanted.some((manifest) => isSame(live, manifest)))
    .map((live) => namingConflictOf(live, server))
    .find((found) => found !== undefined);
}

/** Deletions of obsolete routes, before pods of this spec start, which may not require authentication. */
export function removedRoutes(wanted: readonly Manifest[], observed: ObservedState): Step[] {
  return observed.exposure?.keepsRoutes === true
    ? []
    : unwanted(wanted, observed, (live) => isRoute(live, observed.server));
}

/** Adds the finalizer before objects outside the namespace are created, and removes it when none are left. */
export function finalizerStep(wanted: readonly Manifest[], { owned, granted, server }: ObservedState): Step[] {
  const hasFinalizer = server.metadata.finalizers?.includes(finalizer) === true;
  const isNeeded = [...wanted, ...owned, ...granted].some((object) => isCrossNamespace(object, server));
  if (hasFinalizer === isNeeded) return [];
  return [{ do: isNeeded ? "add finalizer" : "remove finalizer" }];
}

export function liveObjects({ owned, server, isMutatedByAdmission }: ObservedState): LiveObjects {
  return { live: owned, ownershipOf: (object) => ownershipOf(object, server), isMutatedByAdmission };
}

/**
 * Deletions of owned objects that are no longer needed. Jobs have their own rules, generated Secrets and volumes are kept, and the mesh is
 * removed one step at a time.
 */
export function obsolete(wanted: readonly Manifest[], observed: ObservedState): Step[] {
  const { server, model } = observed;
  const isWantedStep = ({ kind, metadata }: Owned) => {
    const step = meshStepOf(kind, metadata.name, server.metadata.name);
    return step !== undefined && model.mesh.steps.has(step);
  };
  const isRouted = routedObjects(observed);
  return unwanted(wanted, observed, (live) => !isWantedStep(live) && !isRoute(live, server) && !isRouted(live));
}

/** The pods for artifacts and their Service stay until no route has them: a gateway would answer requests with errors. */
function routedObjects({ owned, server }: ObservedState): (object: Owned) => boolean {
  const name = objectNames.artifactServer(server.metadata.name);
  const isUsed = owned.some((live) => isRoute(live, server) && servicesOf(live).includes(name));
  return ({ metadata }) => isUsed && metadata.name === name;
}

function unwanted(
  wanted: readonly Manifest[],
  observed: ObservedState,
  isIncluded: (object: Owned) => boolean,
): Step[] {
  const { live, ownershipOf: ownership } = liveObjects(observed);
  const isPruned = (object: Owned) =>
    object.kind !== "Pod" && object.kind !== "Job" && !isStored(object, observed.server) && isIncluded(object);
  return deletionsOf(wanted, { live: live.filter(isPruned), ownershipOf: ownership });
}

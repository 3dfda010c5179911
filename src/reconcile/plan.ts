import { quantityOf } from "../api/quantity.ts";
import type { Deployment, Job, Manifest, Owned } from "../kube/manifests.ts";
import { finalizer, label } from "../kube/names.ts";
import { desired, type Stage } from "../resources/index.ts";
import { meshStepOf } from "../resources/mesh/index.ts";
import { objectNames } from "../resources/names.ts";
import { needsConsent } from "../resources/workspaces.ts";
import { difference } from "./difference.ts";
import { isRoute } from "./exposure.ts";
import type { Facts } from "./facts.ts";
import type { Cause } from "./finding.ts";
import { asItRuns } from "./job.ts";
import { listenerOf } from "./mesh-view.ts";
import { type Migration, migrationOf } from "./migration.ts";
import { isOtherRole } from "./other-role.ts";
import { isFar, isStored, type Obstacle, obstacleIn, ownershipOf } from "./ownership.ts";
import { rolloutOf } from "./rollout.ts";
import { type Conflict, withoutContested } from "./write-conflict.ts";

/** One write. */
export type Step =
  | { readonly do: "create"; readonly manifest: Manifest }
  | { readonly do: "apply"; readonly manifest: Manifest; readonly live: Owned }
  | { readonly do: "delete"; readonly live: Owned }
  /** Has the server stay until {@link retire} has released what is far. */
  | { readonly do: "hold" }
  | { readonly do: "let go" };

/** What has to be written: groups one after the other, the steps of a group at once. Empty where all is as it shall be. */
export interface Plan {
  readonly groups: readonly (readonly Step[])[];
  readonly migration: Migration;
  /** A wanted name is taken by somebody else's object; then nothing is written. */
  readonly obstacle?: Obstacle;
  /** A wanted name is still taken by an object that is being deleted; everything else goes on. */
  readonly waiting?: Obstacle;
  /** Writes that wait, since another client contests them; everything else goes on. */
  readonly conflict?: Conflict;
  /** The pods have to wait for somebody's consent; what runs goes on. */
  readonly missing?: Cause;
}

/** The door that must not stand open any more: a step that waits for nothing, whatever else is wrong with a server. */
export function shutting({ owned, server, inputs }: Facts): Step[] {
  const listener = listenerOf({ owned, server });
  if (listener === undefined || inputs.mesh.has("door") || ownershipOf(listener, server) !== "ours") return [];
  return [{ do: "delete", live: listener }];
}

/**
 * Compares what shall be with what is. What pods read and the pods themselves wait until the migration is complete, and
 * so does the removal of what is no longer wanted: until then, what runs keeps all that it had.
 */
export function planOf(facts: Facts): Plan {
  const wanted = desired(facts.inputs);
  const all = Object.values(wanted).flat();
  const migrationJob = wanted.migration.find((manifest) => manifest.kind === "Job");
  const migration = migrationOf(migrationJob, facts.owned);
  const inTheWay = (objects: readonly Owned[]) =>
    objects
      .filter((live) => all.some((manifest) => isSame(live, manifest)))
      .map((live) => obstacleIn(live, facts.server))
      .find((found) => found !== undefined);
  const obstacle = inTheWay(facts.foreign);
  if (obstacle !== undefined) return { groups: [], migration, obstacle };
  const waiting = inTheWay(facts.owned);
  const stage = (name: Stage) => wanted[name].flatMap((manifest) => stepFor(manifest, facts));
  const jobs: Step[] = [
    ...(migrationJob === undefined ? [] : jobStep(migrationJob, facts, migration)),
    ...migration.remove
      .filter((live) => ownershipOf(live, facts.server) === "ours")
      .map((live): Step => ({ do: "delete", live })),
    ...(migration.create === undefined ? [] : [{ do: "create", manifest: migration.create } as const]),
  ];
  const missing = missingConsent(facts);
  const groups = [holdStep(all, facts), stage("invented"), [...stage("surroundings"), ...jobs]];
  if (migration.complete) {
    const workload = stage("workload");
    const isReached = workload.length === 0 && isRolledOut(facts) && facts.exposure?.isSole === true;
    const exposure = isReached ? stage("exposure") : [];
    groups.push(withdrawn(all, facts), missing === undefined ? workload : []);
    groups.push([...stage("mesh"), ...exposure], obsolete(all, facts));
  }
  const { allowed, conflict } = withoutContested(groups, facts);
  return {
    groups: allowed.filter((group) => group.length > 0),
    migration,
    ...(conflict && { conflict }),
    ...(waiting && { waiting }),
    ...(missing && { missing }),
  };
}

/**
 * Whether all pods are of the Deployment's spec. Nothing new leads to them from outside before: those of an earlier spec may
 * answer to everybody, or not below the prefix.
 */
function isRolledOut(facts: Facts): boolean {
  const { owned, server } = facts;
  const name = objectNames.deployment(server.metadata.name);
  const deployment = owned.find(
    (each): each is Deployment => each.kind === "Deployment" && each.metadata.name === name,
  );
  return deployment !== undefined && rolloutOf(deployment, owned, facts).complete;
}

/** What shall lead here from outside no longer goes before pods of this spec come, which may answer to everybody. */
function withdrawn(wanted: readonly Manifest[], facts: Facts): Step[] {
  return facts.exposure?.isKept === true ? [] : unwanted(wanted, facts, isRoute);
}

/** Before anything far is written the server is held, so that it cannot go without it; when nothing is left, it is let go. */
function holdStep(wanted: readonly Manifest[], { owned, granted, server }: Facts): Step[] {
  const isHeld = server.metadata.finalizers?.includes(finalizer) === true;
  const isNeeded = [...wanted, ...owned, ...granted].some((object) => isFar(object, server));
  if (isHeld === isNeeded) return [];
  return [{ do: isNeeded ? "hold" : "let go" }];
}

/** MLflow's pods would end at once, since they could not ask for their workspaces. */
function missingConsent({ server, inputs }: Facts): Cause | undefined {
  if (!needsConsent(server.spec) || inputs.workspaces.length > 0) return undefined;
  const { workspaces } = server.spec;
  const place = server.metadata.namespace;
  if (workspaces === undefined) {
    return {
      reason: "WorkspaceConsentMissing",
      message: `with authorization: ProxyIdentity the server can ask what anybody may do, for which namespace ${place} must say that it is its own workspace. Whoever administers it says so by kubectl label namespace ${place} ${label.workspaceOf}=${place}`,
    };
  }
  const { matchLabels } = workspaces.selector ?? {};
  const chosen = matchLabels === undefined ? "" : ", and has the labels of spec.workspaces.selector";
  return {
    reason: "WorkspaceConsentMissing",
    message: `no namespace says that it is a workspace of servers in namespace ${place}${chosen}. Whoever administers one says so by kubectl label namespace ${workspaces.default ?? "<name>"} ${label.workspaceOf}=${place}`,
  };
}

function stepFor(manifest: Manifest, { owned, server, isOverruled }: Facts): Step[] {
  const live = owned.find((object) => isSame(object, manifest));
  if (live === undefined) return [{ do: "create", manifest }];
  if (ownershipOf(live, server) !== "ours") return [];
  if (isOtherRole(live, manifest)) return [{ do: "delete", live }];
  const target = attainable(manifest, live);
  if (difference(target, live) === undefined || isOverruled(target, live)) return [];
  return [{ do: "apply", manifest: target, live }];
}

/**
 * A Job's pods are never changed under way; what may drift of it is its labels and how often it runs. The rest of its spec
 * is written as it is, since server-side apply would take away what is left out.
 */
function jobStep(wanted: Job, { owned, server }: Facts, { remove }: Migration): Step[] {
  const live = owned.find((object): object is Job => object.kind === "Job" && isSame(object, wanted));
  if (live === undefined || remove.includes(live) || ownershipOf(live, server) !== "ours") return [];
  const { backoffLimit, completions, parallelism } = wanted.spec;
  const checked = { metadata: { labels: wanted.metadata.labels }, spec: { backoffLimit, completions, parallelism } };
  return difference(checked, live) === undefined ? [] : [{ do: "apply", manifest: asItRuns(wanted, live), live }];
}

/** A volume that somebody has enlarged stays so: the API server refuses to shrink it. */
function attainable(manifest: Manifest, live: Owned): Manifest {
  if (manifest.kind !== "PersistentVolumeClaim" || live.kind !== "PersistentVolumeClaim") return manifest;
  const storage = live.spec.resources?.requests?.["storage"];
  const wanted = manifest.spec.resources?.requests?.["storage"];
  if (storage === undefined || (quantityOf(storage) ?? 0) <= (quantityOf(wanted ?? "") ?? 0)) return manifest;
  return { ...manifest, spec: { ...manifest.spec, resources: { requests: { storage } } } };
}

/**
 * What we own and nobody wants any more. Jobs have their own rules, what was generated or stored is kept, and the mesh is
 * left one step at a time.
 */
function obsolete(wanted: readonly Manifest[], facts: Facts): Step[] {
  const { server, inputs } = facts;
  const isInTurn = ({ kind, metadata }: Owned) => {
    const step = meshStepOf(kind, metadata.name, server.metadata.name);
    return step !== undefined && inputs.mesh.has(step);
  };
  return unwanted(wanted, facts, (live) => !isInTurn(live) && !isRoute(live));
}

function unwanted(wanted: readonly Manifest[], { owned, server }: Facts, isMeant: (object: Owned) => boolean): Step[] {
  return owned
    .filter(isMeant)
    .filter((live) => live.kind !== "Pod" && live.kind !== "Job" && !isStored(live, server))
    .filter((live) => ownershipOf(live, server) === "ours" && !wanted.some((manifest) => isSame(live, manifest)))
    .map((live): Step => ({ do: "delete", live }));
}

function isSame(live: Owned, manifest: Manifest): boolean {
  const [a, b] = [live.metadata, manifest.metadata];
  return live.kind === manifest.kind && a.name === b.name && a.namespace === b.namespace;
}

import type { NewBackup } from "../api/backup.ts";
import type { MigrationRecord } from "../api/status.ts";
import { artifactStorageOf } from "../features/artifacts/index.ts";
import { backendDatabase } from "../features/database/index.ts";
import type { Condition } from "../kube/conditions.ts";
import type { Deployment, Job, Manifest, Owned, PersistentVolumeClaim } from "../kube/manifests.ts";
import { annotation, finalizer, group as ownGroup } from "../kube/names.ts";
import { objectText } from "../kube/object.ts";
import { objectNames } from "../model/names.ts";
import { desired, type Stage } from "../resources/index.ts";
import { meshStepOf } from "../resources/mesh/index.ts";
import type { Cause } from "./cause.ts";
import { difference } from "./difference.ts";
import { isRoute } from "./exposure.ts";
import { listenerOf } from "./mesh-view.ts";
import { isPreflightJob, type Migration, migrationOf, recordedFirst, waiting, withLiveSpec } from "./migration.ts";
import { deletionsOf, isSame, type LiveObjects, type ObjectStep, stepsFor } from "./object-steps.ts";
import type { ObservedState } from "./observed-state.ts";
import { isCrossNamespace, isStored, type NamingConflict, namingConflictOf, ownershipOf } from "./ownership.ts";
import { podPrerequisites } from "./pod-prerequisites.ts";
import { type Restore, type RestoreHold, restoreOf } from "./restore.ts";
import { rolloutOf } from "./rollout.ts";
import { rotationJobSteps } from "./rotation/rotation.ts";
import { deploymentOf, isUnfinished, podsOf } from "./server-workload.ts";
import { statusOf } from "./status.ts";
import type { Waiting } from "./upgrade.ts";
import { knownMigration, type StagedUpgrade, stagedUpgrade, startMarker, upgradeDecision } from "./upgrade-plan.ts";
import { migrating, rollingOut, type VersionProgress, versionChangeOf } from "./version-change.ts";
import { type Hold, heldChange, heldTurn } from "./version-change-steps.ts";
import { type WriteConflict, withoutConflicts } from "./write-conflict.ts";

/** One write. */
export type Step =
  | ObjectStep
  /** Writes `status.migration` before what follows, and with it the conditions if they are no longer correct. */
  | { readonly do: "record"; readonly record: MigrationRecord; readonly conditions?: readonly Condition[] | undefined }
  /** Marks the Deployment, if the upgrade of the operator may still change the pods of the server now. */
  | {
      readonly do: "start upgrade";
      readonly live: Deployment;
      readonly marker: string;
      readonly isAllowed: () => boolean;
    }
  /** Creates the backup before a change of the version. */
  | { readonly do: "create backup"; readonly backup: NewBackup }
  /** Adds the finalizer, until {@link finalize} has deleted objects outside the namespace. */
  | { readonly do: "add finalizer" }
  | { readonly do: "remove finalizer" };

/** The writes of a reconciliation: groups in sequence, the steps of a group concurrently. Empty if all objects match. */
export interface Plan {
  readonly groups: readonly (readonly Step[])[];
  readonly migration: Migration;
  /** An unmanaged object has a needed name; then nothing is applied. */
  readonly namingConflict?: NamingConflict;
  /** A terminating object still has a needed name; all other steps are executed. */
  readonly waiting?: NamingConflict;
  /** Writes that wait because of another client; all other steps are executed. */
  readonly conflict?: WriteConflict;
  /** The pods must wait for the opt-in of a namespace; running pods stay. */
  readonly missing?: Cause;
  /** Why the pods keep the template of a previous version of the operator. */
  readonly upgrade?: Waiting;
  /** The change of the version or the image that is in progress. */
  readonly change?: VersionProgress;
  /** The restore of a backup; no field without one, or when it is in the status. */
  readonly restore?: Restore;
  /** Why the migration of that change does not begin yet. */
  readonly hold?: Hold;
}

/** The deletion of a listener for traces that must stop: a step that waits for nothing, regardless of other problems of the server. */
export function listenerDeletions({ owned, server, model }: ObservedState): Step[] {
  const listener = listenerOf({ owned, server });
  if (listener === undefined || model.mesh.steps.has("listener") || ownershipOf(listener, server) !== "owned")
    return [];
  return [{ do: "delete", live: listener }];
}

/**
 * Compares the desired objects with the live ones. The pods and the objects that they read wait until the migration is complete, and
 * so does the deletion of obsolete objects: until then, running pods keep all their inputs.
 */
export function planOf(observed: ObservedState): Plan {
  const rendered = desired(observed.model);
  const staged = stagedUpgrade(Object.values(rendered).flat(), ownDeploymentIn(observed), observed);
  const wanted = staged === undefined ? rendered : withDeployment(rendered, staged.wanted);
  const all = Object.values(wanted).flat();
  const migrationJob = wanted.migration.find((manifest) => manifest.kind === "Job");
  const deployment = all.find(
    (each): each is Deployment => each.kind === "Deployment" && each.metadata.name === observed.model.names.deployment,
  );
  const pending = versionChangeOf(deployment, ownDeploymentIn(observed));
  const isStaged = staged?.change === "operator";
  const decided = isStaged ? knownMigration(observed.server) : migrationDecision(migrationJob, observed);
  const hold = pending && !isStaged && isBeforeMigration(decided, observed) ? heldChange(pending, observed) : undefined;
  const migration = isStaged || hold !== undefined ? decided : migrationFor(decided, observed);
  const namingConflict = firstNamingConflict(all, observed.unmanaged, observed);
  if (namingConflict !== undefined) return { groups: [], migration, namingConflict };
  const restore = restoreOf(observed);
  if (restore.hold !== undefined) return restorePlan(wanted, { ...restore, hold: restore.hold }, observed);
  if (isStaged) return stagedPlan(wanted, staged, observed, migration, pending && heldTurn(pending, observed));
  if (migration.isRejected) return { groups: recordGroups(migration, observed), migration };
  if (hold !== undefined) return heldPlan(wanted, hold, observed);
  const change =
    pending === undefined
      ? rollingOut(observed, deployment)
      : migrating(pending, migration, migrationJob?.metadata.name);
  return fullPlan(wanted, { migration, migrationJob, change, isChange: pending !== undefined, restore }, observed);
}

/** All that the Job of a restore needs, and the Job. Running pods stay. */
function restorePlan(
  wanted: Record<Stage, Manifest[]>,
  restore: Restore & { readonly hold: RestoreHold },
  observed: ObservedState,
): Plan {
  const stage = stageSteps(wanted, observed);
  const { create } = restore.hold;
  const groups = [
    finalizerStep(Object.values(wanted).flat(), observed),
    stage("generated"),
    [
      ...stage("prerequisites"),
      ...restoreDeletions(restore),
      ...(create === undefined ? [] : [{ do: "create", manifest: create } as const]),
    ],
  ];
  return { ...limited(groups, wanted, observed), migration: knownMigration(observed.server), restore };
}

function restoreDeletions({ remove }: Restore): Step[] {
  return remove
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map((live): Step => ({ do: "delete", live }));
}

/** A change of the version that may not begin yet: all that leaves pods as they are, and what the change waits for. */
function heldPlan(wanted: Record<Stage, Manifest[]>, hold: Hold, observed: ObservedState): Plan {
  const stage = stageSteps(wanted, observed);
  const groups = [
    finalizerStep(Object.values(wanted).flat(), observed),
    stage("generated"),
    [...stage("prerequisites"), ...preflightSteps(hold, observed)],
    [...stopSteps(hold.stop ?? [], observed), ...startSteps(hold.start ?? [], Object.values(wanted).flat())],
    hold.createBackup === undefined ? [] : [{ do: "create backup", backup: hold.createBackup } as const],
  ];
  return {
    ...limited(groups, wanted, observed),
    migration: knownMigration(observed.server),
    hold,
    change: hold.progress,
  };
}

interface Progress {
  readonly migration: Migration;
  readonly migrationJob: Job | undefined;
  readonly change: VersionProgress | undefined;
  /** Whether the spec has another version or image than the Deployment. */
  readonly isChange: boolean;
  readonly restore: Restore;
}

/** The migration, and after it the pods and what follows them. */
function fullPlan(
  wanted: Record<Stage, Manifest[]>,
  { migration, migrationJob, change, isChange, restore }: Progress,
  observed: ObservedState,
): Plan {
  const all = Object.values(wanted).flat();
  const stage = stageSteps(wanted, observed);
  const jobs = migrationSteps(migration, migrationJob, observed);
  const missing = podPrerequisites.map((check) => check(observed)).find((cause) => cause !== undefined);
  const groups = [
    ...recordGroups(migration, observed),
    finalizerStep(all, observed),
    migration.complete || migrationJob === undefined ? [] : stopStep(observed),
    stage("generated"),
    [
      ...stage("prerequisites"),
      ...jobs,
      ...rotationSteps(observed),
      ...(isChange ? [] : obsoletePreflights(observed)),
      ...restoreDeletions(restore),
    ],
  ];
  if (migration.complete) {
    const workload = stage("workload");
    const isReached = workload.length === 0 && isRolledOut(observed) && observed.exposure?.isExclusive === true;
    const exposure = isReached ? stage("exposure") : [];
    groups.push(removedRoutes(all, observed), missing === undefined ? workload : []);
    groups.push([...stage("mesh"), ...exposure], obsolete(all, observed));
  }
  return {
    ...limited(groups, wanted, observed),
    migration,
    ...(missing && { missing }),
    ...(change && { change }),
    ...(restore.record && { restore }),
  };
}

/** The steps that other clients' changes and terminating objects allow. */
function limited(
  groups: readonly (readonly Step[])[],
  wanted: Record<Stage, Manifest[]>,
  observed: ObservedState,
): Pick<Plan, "groups" | "conflict" | "waiting"> {
  const { allowed, conflict } = withoutConflicts(groups, observed);
  const terminating = firstNamingConflict(Object.values(wanted).flat(), observed.owned, observed);
  return {
    groups: allowed.filter((group) => group.length > 0),
    ...(conflict && { conflict }),
    ...(terminating && { waiting: terminating }),
  };
}

function stageSteps(wanted: Record<Stage, Manifest[]>, observed: ObservedState) {
  return (name: Stage) => wanted[name].flatMap((manifest) => stepsFor(manifest, liveObjects(observed)));
}

/** The first of the objects that has the name of a desired one and cannot become it. */
function firstNamingConflict(
  wanted: readonly Manifest[],
  objects: readonly Owned[],
  { server }: ObservedState,
): NamingConflict | undefined {
  return objects
    .filter((live) => wanted.some((manifest) => isSame(live, manifest)))
    .map((live) => namingConflictOf(live, server))
    .find((found) => found !== undefined);
}

function migrationSteps(migration: Migration, job: Job | undefined, observed: ObservedState): Step[] {
  const removed = migration.remove.filter((live) => ownershipOf(live, observed.server) === "owned");
  return [
    ...(job === undefined ? [] : jobStep(job, observed, migration)),
    ...removed.map((live): Step => ({ do: "delete", live })),
    ...(migration.create === undefined ? [] : [{ do: "create", manifest: migration.create } as const]),
  ];
}

/** Whether the migration of a change has not begun: its Job is not created yet, or the spec has none and the pods come next. */
function isBeforeMigration({ create, complete }: Migration, { server, model }: ObservedState): boolean {
  if (create === undefined) return complete && model.migration.mode === undefined;
  const { job, phase } = server.status?.migration ?? {};
  return phase !== "Started" || job !== create.metadata.name;
}

function preflightSteps({ create, remove = [] }: Hold, { owned }: ObservedState): Step[] {
  const deletions = remove.map((live): Step => ({ do: "delete", live }));
  const isPresent = create !== undefined && owned.some((each) => isSame(each, create));
  return create === undefined || isPresent ? deletions : [...deletions, { do: "create", manifest: create }];
}

function rotationSteps({ rotation, owned, server }: ObservedState): Step[] {
  const { create, remove } = rotationJobSteps(rotation?.jobs ?? [], owned, server);
  return [
    ...create.map((manifest): Step => ({ do: "create", manifest })),
    ...remove.map((live): Step => ({ do: "delete", live })),
  ];
}

/** Deletions of the Jobs that checked a change which is over. */
function obsoletePreflights({ owned, server }: ObservedState): Step[] {
  return owned
    .filter((each) => isPreflightJob(each) && ownershipOf(each, server) === "owned")
    .map((live): Step => ({ do: "delete", live }));
}

/** Scales Deployments to zero for a change. The annotation of the server's says for which, so that the change continues in any case. */
function stopSteps(deployments: readonly Deployment[], { model }: ObservedState): Step[] {
  return deployments.map((live): Step => {
    const { metadata, ...rest } = withReplicas(live, 0);
    const annotations = { ...metadata.annotations, [annotation.stoppedFor]: model.migration.job };
    return { do: "apply", manifest: { ...rest, metadata: { ...metadata, annotations } }, live };
  });
}

/** Starts pods that were stopped for a change, with the template of the previous version. */
function startSteps(deployments: readonly Deployment[], wanted: readonly Manifest[]): Step[] {
  return deployments.flatMap((live): Step[] => {
    const same = wanted.find((each): each is Deployment => each.kind === "Deployment" && isSame(live, each));
    const { replicas = 1 } = same?.spec ?? {};
    if (same === undefined || replicas === 0) return [];
    const { metadata, ...rest } = withReplicas(live, replicas);
    const { [annotation.stoppedFor]: _, ...annotations } = metadata.annotations ?? {};
    return [{ do: "apply", manifest: { ...rest, metadata: { ...metadata, annotations } }, live }];
  });
}

function withDeployment(wanted: Record<Stage, Manifest[]>, deployment: Deployment): Record<Stage, Manifest[]> {
  const workload = wanted.workload.map((each) => (isSame(deployment, each) ? deployment : each));
  return { ...wanted, workload };
}

/**
 * The first step of an upgrade of the operator if it is the turn of this server. Otherwise all that leaves pods as they are: of the
 * Deployments the number of pods, and the Secrets of the pods only if no other version of the operator may have written them.
 */
function stagedPlan(
  wanted: Record<Stage, Manifest[]>,
  { wanted: deployment, live }: StagedUpgrade,
  observed: ObservedState,
  migration: Migration,
  hold: Hold | undefined,
): Plan {
  const held = hold && ({ mayStart: false, cause: hold.cause, againInSeconds: hold.againInSeconds ?? 3600 } as const);
  const turn = held ?? upgradeDecision(observed);
  if (turn.mayStart) {
    const isAllowed = () => upgradeDecision(observed).mayStart;
    return { groups: [[{ do: "start upgrade", live, marker: startMarker(observed), isAllowed }]], migration };
  }
  const inputs = ({ spec }: Deployment) => spec.template.metadata?.annotations?.[annotation.inputs];
  const isSameContent = inputs(live) === inputs(deployment);
  const stage = (name: Stage) =>
    wanted[name].flatMap((manifest) => {
      const step = stepsFor(manifest, liveObjects(observed));
      if (manifest.kind === "Deployment") return scaleSteps(manifest, step);
      const isOfPods = name === "workload" && !isSameContent;
      return step.filter((each) => each.do === "create" || !isOfPods);
    });
  const workload = stage("workload");
  const isReached = workload.length === 0 && isRolledOut(observed) && observed.exposure?.isExclusive === true;
  const groups = [
    finalizerStep(Object.values(wanted).flat(), observed),
    stage("generated"),
    stage("prerequisites"),
    removedRoutes(Object.values(wanted).flat(), observed),
    workload,
    [...stage("mesh"), ...(isReached ? stage("exposure") : [])],
  ];
  const { allowed, conflict } = withoutConflicts(groups, observed);
  const { mayStart: _, ...upgrade } = turn;
  return {
    groups: allowed.filter((group) => group.length > 0),
    migration,
    upgrade,
    ...(hold && { change: hold.progress }),
    ...(conflict && { conflict }),
  };
}

/** A change of a Deployment, reduced to its number of pods. */
function scaleSteps({ spec: { replicas } }: Deployment, steps: readonly Step[]): Step[] {
  return steps.flatMap((step): Step[] => {
    if (step.do !== "apply" || step.live.kind !== "Deployment") return [step];
    if (step.live.spec.replicas === replicas) return [];
    return [{ ...step, manifest: withReplicas(step.live, replicas) }];
  });
}

function migrationDecision(job: Job | undefined, { server, owned, now }: ObservedState): Migration {
  return migrationOf(job, { owned, record: server.status?.migration, now });
}

/**
 * The decision about the migration. A Job that mounts the volume waits until the claim exists, whose uid is part of its
 * name, and until no pod of the server uses a volume that only one pod can mount.
 */
function migrationFor(migration: Migration, observed: ObservedState): Migration {
  const { server, owned, runningBackup } = observed;
  if (migration.create !== undefined && runningBackup !== undefined) {
    const message = `Waiting until ${objectText(runningBackup)}, which writes a backup of the databases, ends.`;
    return waiting(migration, message, { record: server.status?.migration });
  }
  const volume = databaseVolume(observed);
  if (migration.create === undefined || volume === undefined) return migration;
  const known = { record: server.status?.migration };
  if (!volume.isKnown)
    return waiting(migration, `Waiting for PersistentVolumeClaim/${volume.claimName}.`, { ...known, isInterim: true });
  if (!volume.isOfOnePod || !podsOf("server", owned).some(isUnfinished)) return migration;
  const message = `Waiting until the pods of the server have terminated: PersistentVolumeClaim/${volume.claimName} has the access mode ReadWriteOncePod, so the migration cannot run at the same time. They start again after it.`;
  return waiting(migration, message, known);
}

function recordGroups(migration: Migration, observed: ObservedState): Step[][] {
  const record = recordedFirst(migration);
  if (record === undefined) return [];
  return [[{ do: "record", record, conditions: conditionsWithoutReady(migration, observed) }]];
}

/**
 * The conditions without `Ready`, where they still have it and a migration begins without a change of the spec. Otherwise a status
 * that is written now would repeat `Ready` of an earlier state of the Deployment.
 */
function conditionsWithoutReady(migration: Migration, observed: ObservedState): readonly Condition[] | undefined {
  const { status, metadata } = observed.server;
  const isReady = status?.conditions?.some((each) => each.type === "Ready" && each.status === "True");
  if (migration.complete || !isReady || status?.observedGeneration !== metadata.generation) return undefined;
  const state = migration.stalled ? "stalled" : "progressing";
  return statusOf(observed, { state, cause: migration.cause, migration }).conditions;
}

/** Stops the pods of the server if the migration could not mount its volume otherwise. */
function stopStep(observed: ObservedState): Step[] {
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

/** The volume with the file of the database; undefined for a database server. */
function databaseVolume(observed: ObservedState) {
  const { spec, metadata } = observed.server;
  if (backendDatabase(spec).volume === undefined) return undefined;
  const { existingClaim, accessModes = [] } = artifactStorageOf(spec).volume ?? {};
  if (existingClaim !== undefined)
    return { claimName: existingClaim, isKnown: true, isOfOnePod: accessModes.includes("ReadWriteOncePod") };
  const claim = claimOf(observed);
  return {
    claimName: objectNames.volumeClaim(metadata.name),
    isKnown: claim !== undefined,
    isOfOnePod: claim !== undefined && isOfOnePod(claim),
  };
}

function claimOf({ owned, server }: ObservedState): PersistentVolumeClaim | undefined {
  const name = objectNames.volumeClaim(server.metadata.name);
  return owned.find(
    (each): each is PersistentVolumeClaim => each.kind === "PersistentVolumeClaim" && each.metadata.name === name,
  );
}

const isOfOnePod = ({ spec }: PersistentVolumeClaim) => spec.accessModes?.includes("ReadWriteOncePod") === true;

/** Not that of a deleted server with the same name, which is about to be deleted. */
function ownDeploymentIn(observed: ObservedState): Deployment | undefined {
  const live = deploymentOf(observed);
  return live !== undefined && ownershipOf(live, observed.server) === "owned" ? live : undefined;
}

/**
 * Whether all pods run the Deployment's spec. Routes are created only then: pods of an earlier spec may not require
 * authentication, or not serve the prefix.
 */
function isRolledOut(observed: ObservedState): boolean {
  const deployment = deploymentOf(observed);
  return deployment !== undefined && rolloutOf(deployment, observed.owned, observed).complete;
}

/** Deletions of obsolete routes, before pods of this spec start, which may not require authentication. */
function removedRoutes(wanted: readonly Manifest[], observed: ObservedState): Step[] {
  return observed.exposure?.keepsRoutes === true
    ? []
    : unwanted(wanted, observed, (live) => isRoute(live, observed.server));
}

/** Adds the finalizer before objects outside the namespace are created, and removes it when none are left. */
function finalizerStep(wanted: readonly Manifest[], { owned, granted, server }: ObservedState): Step[] {
  const hasFinalizer = server.metadata.finalizers?.includes(finalizer) === true;
  const isNeeded = [...wanted, ...owned, ...granted].some((object) => isCrossNamespace(object, server));
  if (hasFinalizer === isNeeded) return [];
  return [{ do: isNeeded ? "add finalizer" : "remove finalizer" }];
}

function liveObjects({ owned, server, isMutatedByAdmission }: ObservedState): LiveObjects {
  return { live: owned, ownershipOf: (object) => ownershipOf(object, server), isMutatedByAdmission };
}

/**
 * The repair of a Job. Its pod template is never changed; only labels and parallelism can drift. The rest of its spec
 * is applied as it is, because server-side apply would remove omitted fields.
 */
function jobStep(wanted: Job, { owned, server }: ObservedState, { remove }: Migration): Step[] {
  const live = owned.find((object): object is Job => object.kind === "Job" && isSame(object, wanted));
  if (live === undefined || remove.includes(live) || ownershipOf(live, server) !== "owned") return [];
  const { backoffLimit, completions, parallelism } = wanted.spec;
  const checked = { metadata: { labels: wanted.metadata.labels }, spec: { backoffLimit, completions, parallelism } };
  return difference(checked, live) === undefined ? [] : [{ do: "apply", manifest: withLiveSpec(wanted, live), live }];
}

/**
 * Deletions of owned objects that are no longer needed. Jobs have their own rules, generated Secrets and volumes are kept, and the mesh is
 * removed one step at a time.
 */
function obsolete(wanted: readonly Manifest[], observed: ObservedState): Step[] {
  const { server, model } = observed;
  const isWantedStep = ({ kind, metadata }: Owned) => {
    const step = meshStepOf(kind, metadata.name, server.metadata.name);
    return step !== undefined && model.mesh.steps.has(step);
  };
  return unwanted(wanted, observed, (live) => !isWantedStep(live) && !isRoute(live, server));
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

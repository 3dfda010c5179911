import type { Deployment, Job, Manifest } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";
import { desired, type Stage } from "../resources/index.ts";
import type { Cause } from "./cause.ts";
import {
  isRolledOut,
  ownDeploymentIn,
  scaleSteps,
  startSteps,
  stopStep,
  stopSteps,
  withDeployment,
} from "./deployment-steps.ts";
import type { Migration } from "./migration.ts";
import {
  isBeforeMigration,
  migrationDecision,
  migrationFor,
  migrationSteps,
  obsoletePreflights,
  preflightSteps,
  recordGroups,
} from "./migration-steps.ts";
import { stepsFor } from "./object-steps.ts";
import type { ObservedState } from "./observed-state.ts";
import type { NamingConflict } from "./ownership.ts";
import { podPrerequisites } from "./pod-prerequisites.ts";
import { finalizerStep, firstNamingConflict, liveObjects, obsolete, removedRoutes } from "./prune-steps.ts";
import { type Restore, type RestoreHold, restoreOf } from "./restore.ts";
import { rotationJobSteps } from "./rotation/rotation.ts";
import type { Step } from "./step.ts";
import type { Waiting } from "./upgrade.ts";
import { knownMigration, type StagedUpgrade, stagedUpgrade, startMarker, upgradeDecision } from "./upgrade-plan.ts";
import { migrating, rollingOut, type VersionProgress, versionChangeOf } from "./version-change.ts";
import { type Hold, heldChange, heldTurn } from "./version-change-steps.ts";
import { type WriteConflict, withoutConflicts } from "./write-conflict.ts";

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

function rotationSteps({ rotation, owned, server }: ObservedState): Step[] {
  const { create, remove } = rotationJobSteps(rotation?.jobs ?? [], owned, server);
  return [
    ...create.map((manifest): Step => ({ do: "create", manifest })),
    ...remove.map((live): Step => ({ do: "delete", live })),
  ];
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

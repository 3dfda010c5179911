import { artifactStorageOf } from "../features/artifacts/index.ts";
import { backendDatabase } from "../features/database/index.ts";
import type { Condition } from "../kube/conditions.ts";
import type { Job, PersistentVolumeClaim } from "../kube/manifests.ts";
import { objectText } from "../kube/object.ts";
import { objectNames } from "../model/names.ts";
import { difference } from "./difference.ts";
import { isPreflightJob, type Migration, migrationOf, recordedFirst, waiting, withLiveSpec } from "./migration.ts";
import { isSame } from "./object-steps.ts";
import type { ObservedState } from "./observed-state.ts";
import { ownershipOf } from "./ownership.ts";
import { isUnfinished, podsOf } from "./server-workload.ts";
import { statusOf } from "./status.ts";
import type { Step } from "./step.ts";
import type { Hold } from "./version-change-steps.ts";

export function migrationSteps(migration: Migration, job: Job | undefined, observed: ObservedState): Step[] {
  const removed = migration.remove.filter((live) => ownershipOf(live, observed.server) === "owned");
  return [
    ...(job === undefined ? [] : jobStep(job, observed, migration)),
    ...removed.map((live): Step => ({ do: "delete", live })),
    ...(migration.create === undefined ? [] : [{ do: "create", manifest: migration.create } as const]),
  ];
}

/** Whether the migration of a change has not begun: its Job is not created yet, or the spec has none and the pods come next. */
export function isBeforeMigration({ create, complete }: Migration, { server, model }: ObservedState): boolean {
  if (create === undefined) return complete && model.migration.mode === undefined;
  const { job, phase } = server.status?.migration ?? {};
  return phase !== "Started" || job !== create.metadata.name;
}

export function preflightSteps({ create, remove = [] }: Hold, { owned }: ObservedState): Step[] {
  const deletions = remove.map((live): Step => ({ do: "delete", live }));
  const isPresent = create !== undefined && owned.some((each) => isSame(each, create));
  return create === undefined || isPresent ? deletions : [...deletions, { do: "create", manifest: create }];
}

/** Deletions of the Jobs that checked a change which is over. */
export function obsoletePreflights({ owned, server }: ObservedState): Step[] {
  return owned
    .filter((each) => isPreflightJob(each) && ownershipOf(each, server) === "owned")
    .map((live): Step => ({ do: "delete", live }));
}

export function migrationDecision(job: Job | undefined, { server, owned, now }: ObservedState): Migration {
  return migrationOf(job, { owned, record: server.status?.migration, now });
}

/**
 * The decision about the migration. A Job that mounts the volume waits until the claim exists, whose uid is part of its
 * name, and until no pod of the server uses a volume that only one pod can mount.
 */
export function migrationFor(migration: Migration, observed: ObservedState): Migration {
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

export function recordGroups(migration: Migration, observed: ObservedState): Step[][] {
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

/** The volume with the file of the database; undefined for a database server. */
export function databaseVolume(observed: ObservedState) {
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

export const isOfOnePod = ({ spec }: PersistentVolumeClaim) => spec.accessModes?.includes("ReadWriteOncePod") === true;

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

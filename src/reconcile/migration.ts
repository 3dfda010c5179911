import type { Job, Owned, Pod } from "../kube/manifests.ts";
import { annotation, label } from "../kube/names.ts";
import { objectText } from "../kube/object.ts";
import type { Cause } from "./finding.ts";
import { troubleOf } from "./trouble.ts";

/** Where the database stands, and which Jobs have to come and go. */
export interface Migration {
  /** Whether pods of this spec may start. */
  readonly complete: boolean;
  readonly create?: Job;
  readonly remove: readonly Job[];
  readonly cause: Cause;
  /** Whether it needs a person, or time. */
  readonly stalled: boolean;
}

/**
 * What the Jobs of a server say of its database. A completed Job of the wanted name is the proof that there is nothing
 * to do, and so is a Deployment that was written after one: a Job that somebody deleted comes back without holding up
 * anything. Two migrations never run at once: another unfinished Job is waited for while its pod runs, and otherwise
 * removed first, and a Job is only created when no other is left unfinished.
 */
export function migrationOf(wanted: Job | undefined, owned: readonly Owned[]): Migration {
  const jobs = owned.filter((object): object is Job => object.kind === "Job");
  if (wanted === undefined) {
    const message = "the database is taken as it is: migration is Manual, without a check";
    return { ...finished("MigrationNotWanted", message), remove: staying(jobs) };
  }
  const live = jobs.find((job) => job.metadata.name === wanted.metadata.name);
  const others = jobs.filter((job) => job !== live);
  if (live !== undefined && isComplete(live)) {
    return { ...finished("MigrationComplete", "the database has the schema of this version"), remove: staying(others) };
  }
  const rival = others.find((job) => !isComplete(job));
  if (isProven(wanted, owned)) {
    const create = live === undefined && rival === undefined ? { create: wanted } : {};
    const remove = rival === undefined ? [] : afterRival(rival, owned).remove;
    return { ...finished("MigrationComplete", "the database has the schema of this version"), remove, ...create };
  }
  if (rival !== undefined) return afterRival(rival, owned);
  if (live === undefined) return { ...running(wanted), create: wanted };
  return ofUnfinished(live, wanted, podsOf(live, owned));
}

function isProven(wanted: Job, owned: readonly Owned[]): boolean {
  return owned.some(
    (object) =>
      object.kind === "Deployment" && object.metadata.annotations?.[annotation.migration] === wanted.metadata.name,
  );
}

function ofUnfinished(live: Job, wanted: Job, pods: readonly Pod[]): Migration {
  const { name, deletionTimestamp } = live.metadata;
  if (deletionTimestamp !== undefined) return pending(`waiting until Job/${name} and its pods are gone`);
  const failed = live.status?.conditions?.some(
    (condition) => condition.type === "Failed" && condition.status === "True",
  );
  if (failed || inputsOf(live) !== inputsOf(wanted)) {
    return { ...pending(`Job/${name} starts again with what has changed`), remove: [live] };
  }
  const trouble = troubleOf(pods);
  if (trouble !== undefined) return { complete: false, remove: [], cause: trouble, stalled: true };
  return running(live);
}

function afterRival(rival: Job, owned: readonly Owned[]): Migration {
  const { name, deletionTimestamp } = rival.metadata;
  if (deletionTimestamp !== undefined) return pending(`waiting until Job/${name} and its pods are gone`);
  const works = podsOf(rival, owned).some((pod) =>
    pod.status?.containerStatuses?.some((container) => container.state?.running !== undefined),
  );
  if (works) return pending(`waiting for Job/${name}, an earlier migration that is at work`);
  return { ...pending(`removing Job/${name}, an earlier migration that is stuck`), remove: [rival] };
}

/** Another DELETE of what is already being deleted would be a change, and the next pass would send yet another. */
const staying = (jobs: readonly Job[]) => jobs.filter(({ metadata }) => metadata.deletionTimestamp === undefined);

const finished = (reason: Cause["reason"], message: string): Migration => ({
  complete: true,
  remove: [],
  cause: { reason, message },
  stalled: false,
});

const running = (job: Job): Migration => ({
  complete: false,
  remove: [],
  cause: {
    reason: "MigrationRunning",
    message: `${objectText(job)} brings the database to the schema of this version`,
  },
  stalled: false,
});

const pending = (message: string): Migration => ({
  complete: false,
  remove: [],
  cause: { reason: "MigrationPending", message },
  stalled: false,
});

function isComplete(job: Job): boolean {
  return job.status?.conditions?.some(({ type, status }) => type === "Complete" && status === "True") ?? false;
}

function inputsOf(job: Job): string | undefined {
  return job.metadata.annotations?.[annotation.inputs];
}

function podsOf(job: Job, owned: readonly Owned[]): Pod[] {
  return owned.filter(
    (object): object is Pod =>
      object.kind === "Pod" &&
      object.metadata.labels?.[label.component] === "migration" &&
      (object.metadata.ownerReferences ?? []).some((reference) => reference.uid === job.metadata.uid),
  );
}

import { objectNames } from "../../model/names.ts";
import { type Collected, lastCollection } from "../garbage-collection.ts";
import { formerOf, type ServerCondition, unchanged } from "./condition.ts";

const onlyOnePod =
  "The volume has the access mode ReadWriteOncePod, so no Job can mount it while the server runs, and there is no CronJob. Remove garbageCollection, or use ReadWriteOnce or a bucket.";

const withoutResult = /^(NotChecked|GarbageCollection(Pending|Suspended|Impossible))$/;

export const garbageCollectionReady: ServerCondition = {
  type: "GarbageCollectionReady",
  meaning:
    "With `spec.garbageCollection`: the last Job has succeeded, or none has ended yet. `Ready` does not wait for it.",
  reasons: {
    GarbageCollectionSucceeded: { meaning: "The last Job of the garbage collection has succeeded.", remedy: "" },
    GarbageCollectionPending: { meaning: "No Job of the garbage collection has ended yet.", remedy: "" },
    GarbageCollectionImpossible: {
      meaning: "Only one pod can mount the volume (`ReadWriteOncePod`), so there is no CronJob.",
      remedy: "Remove `garbageCollection`, or use a volume with another access mode or a bucket.",
    },
    GarbageCollectionSuspended: {
      meaning: "`garbageCollection.suspend` is true, or the server hibernates, so no Jobs start.",
      remedy: "Set `suspend: false`, or `hibernate: false`.",
    },
  },
  isOf: ({ garbageCollection }) => garbageCollection !== undefined,
  state: ({ server, owned, before }) => {
    if (server.spec.artifactStore.persistentVolume?.accessModes?.includes("ReadWriteOncePod"))
      return { status: "False", reason: "GarbageCollectionImpossible", message: onlyOnePod };
    const { state, collected, cause } = lastCollection(owned, server);
    if (state === "failed") {
      const job = `CronJob/${objectNames.garbageCollection(server.metadata.name)}`;
      const message = `The last Job of ${job} failed. What it has not deleted is left for the next. See kubectl get jobs -n ${server.metadata.namespace} and kubectl mlflow status`;
      return { status: "False", ...(cause ?? { reason: "GarbageCollectionFailed", message }) };
    }
    if (state === "succeeded") {
      const message = collected === undefined ? "The last Job has succeeded." : textOf(collected);
      return { status: "True", reason: "GarbageCollectionSucceeded", message };
    }
    const { suspend, schedule } = server.spec.garbageCollection ?? {};
    if (suspend === true || server.spec.hibernate === true || server.spec.replicas === 0) {
      const message = "No Jobs start, because of garbageCollection.suspend or because the server hibernates.";
      return { status: "True", reason: "GarbageCollectionSuspended", message };
    }
    const former = formerOf(before, "GarbageCollectionReady");
    // While a Job runs, the condition has the result of the one before.
    if (former !== undefined && !withoutResult.test(former.reason)) return unchanged(former);
    return {
      status: "True",
      reason: "GarbageCollectionPending",
      message: `No Job has ended yet. Schedule: ${schedule}.`,
    };
  },
};

function textOf({ runs, models, experiments, kept, dryRun }: Collected): string {
  const left =
    kept === 0 ? "" : ` ${kept} were kept: registered models use them, or they contain such runs or newer ones.`;
  const verb = dryRun ? "A Job without dryRun would delete" : "The last Job deleted";
  return `${verb} ${runs} runs, ${models} models and ${experiments} experiments.${left}`;
}

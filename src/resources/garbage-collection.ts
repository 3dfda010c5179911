import type { V1Affinity, V1PodSpec } from "@kubernetes/client-node";
import type { ServerModel } from "../features/server-model.ts";
import type { CronJob } from "../kube/manifests.ts";
import { literal } from "../kube/variable.ts";
import { ownedMetadata, podSelector } from "../model/metadata.ts";
import { storesEnvironment } from "./pod/environment.ts";
import { podSpec } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { taskContainer, taskPodMetadata } from "./pod/task.ts";
import { data, temporary } from "./pod/volumes.ts";
import { collectGarbageProgram } from "./python-programs.ts";

/** After this time the program deletes nothing more, and the next Job continues. */
const longestSeconds = 5 * 3600;

/**
 * Returns the CronJob that deletes permanently what was deleted in MLflow. A Job has one pod, which is not restarted, so that the result of each is in
 * one termination message. It has the same access to database and store as MLflow, and none to users, keys and the API server.
 * Undefined also if only one pod can mount the volume.
 */
export function garbageCollection(model: ServerModel): CronJob | undefined {
  const { owner, names, garbageCollection: settings } = model;
  if (settings === undefined || model.volume?.accessModes.includes("ReadWriteOncePod")) return undefined;
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: ownedMetadata(owner, names.garbageCollection, "garbage-collection"),
    spec: {
      schedule: settings.schedule,
      timeZone: "Etc/UTC",
      suspend: settings.isSuspended,
      concurrencyPolicy: "Forbid",
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 1,
      jobTemplate: {
        spec: {
          backoffLimit: 0,
          // For what hangs without its own deadline, such as a pod that no node can run.
          activeDeadlineSeconds: longestSeconds + 3600,
          template: { metadata: taskPodMetadata(model, "garbage-collection"), spec: spec(model, settings) },
        },
      },
    },
  };
}

function spec(model: ServerModel, { ageSeconds, isDryRun }: NonNullable<ServerModel["garbageCollection"]>): V1PodSpec {
  const { volume, databaseFiles, artifacts } = model;
  const { command, variable } = program(collectGarbageProgram);
  const container = taskContainer(model, "garbage-collection", command, [
    variable,
    literal("GARBAGE_AGE_SECONDS", String(ageSeconds)),
    literal("GARBAGE_DRY_RUN", String(isDryRun)),
    literal("GARBAGE_MAX_SECONDS", String(longestSeconds)),
    ...storesEnvironment(model),
  ]);
  const mounted = [temporary(model), ...data(model), ...databaseFiles, ...artifacts.mounted];
  return {
    ...podSpec(model, { main: [{ container, mounted }] }),
    ...(volume?.isExclusive && { affinity: onNodeOfServer(model) }),
    restartPolicy: "Never",
  };
}

/** Returns an affinity to the node of the server's pods: only one node can mount the volume. */
function onNodeOfServer({ owner, pod }: ServerModel): V1Affinity {
  const { affinity } = pod.scheduling;
  const near = { labelSelector: { matchLabels: podSelector(owner) }, topologyKey: "kubernetes.io/hostname" };
  const others = affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  return {
    ...affinity,
    podAffinity: { ...affinity?.podAffinity, requiredDuringSchedulingIgnoredDuringExecution: [...others, near] },
  };
}

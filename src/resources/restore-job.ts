import type { V1Container } from "@kubernetes/client-node";
import type { MlflowBackup } from "../api/backup.ts";
import type { ServerModel } from "../features/server-model.ts";
import type { Job } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { literal } from "../kube/variable.ts";
import { labels, ownedMetadata } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";
import { withAppliedFieldsHash } from "./applied-fields-hash.ts";
import { destinationOf } from "./backup-destination.ts";
import { contentVariables } from "./backup-job.ts";
import { databaseVariables, job, nearServer } from "./migration-job.ts";
import { podSpec } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { taskContainer } from "./pod/task.ts";
import { data, temporary, temporaryVariables } from "./pod/volumes.ts";
import { restoreProgram } from "./python-programs.ts";

/** The container of the program. Other containers are injected. */
export const restoreContainer = "restore";

/**
 * Returns the Job that restores a backup into the databases and the volume of a server. Its name depends on everything that it reads, so
 * a corrected Secret or a changed spec has another Job. It retries until it succeeds: a restore that was interrupted is completed.
 */
export function restoreJob(model: ServerModel, backup: MlflowBackup): Job {
  const { owner, pod, volume } = model;
  const source = destinationOf(backup, "read");
  const mounted = [temporary(model), ...data(model), ...model.databaseFiles, ...source.mounted];
  const spec = {
    ...podSpec(model, { main: [{ container: container(model, source.env), mounted }] }),
    // A volume can be attached to one node only.
    ...(volume?.isExclusive === true && { affinity: nearServer(model) }),
    restartPolicy: "OnFailure",
  };
  const inputs = model.keyedHash(JSON.stringify([spec, pod.annotations, model.inputsHash, backup.metadata.uid]));
  const metadata = {
    ...ownedMetadata(owner, objectNames.restoreJob(model.name, inputs.slice(0, 10)), "restore"),
    labels: { ...labels(owner, "restore"), [label.version]: model.version },
  };
  return withAppliedFieldsHash(job(model, metadata, spec, "restore"));
}

function container(model: ServerModel, source: ReturnType<typeof destinationOf>["env"]): V1Container {
  const { command, variable } = program(restoreProgram);
  const accepted = model.acceptedDifferences;
  return taskContainer(model, restoreContainer, command, [
    variable,
    ...temporaryVariables,
    ...(accepted.length === 0 ? [] : [literal("RESTORE_ACCEPT", accepted.join(","))]),
    ...source,
    ...contentVariables(model),
    ...databaseVariables(model),
  ]);
}

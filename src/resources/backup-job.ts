import type { V1EnvVar } from "@kubernetes/client-node";
import type { MlflowBackup } from "../api/backup.ts";
import { secondsOf } from "../api/quantity.ts";
import { apiVersion } from "../api/server.ts";
import type { Mounted } from "../features/common/mounted-volume.ts";
import type { ServerModel } from "../features/server-model.ts";
import type { Job } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { fromSecret, literal } from "../kube/variable.ts";
import { labels } from "../model/metadata.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { destinationOf, uidHash } from "./backup-destination.ts";
import { databaseVariables, nearServer } from "./migration-job.ts";
import { type MountedContainer, podSpec } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { taskContainer } from "./pod/task.ts";
import { data, temporary, temporaryVariables } from "./pod/volumes.ts";
import { backupProgram, verifyBackupProgram } from "./python-programs.ts";

const containerName = "backup";

/** Returns the name of the Job of a backup. An MlflowBackup that is created again with the same name has another Job. */
export function backupJobName(backup: MlflowBackup): string {
  return objectNames.backupJob(backup.spec.serverRef.name, uidHash(backup));
}

const serverUidVariable = "BACKUP_SERVER_UID";

/** Returns the uid of the server that a Job backs up. */
export function serverUidOf({ spec }: Job): string | undefined {
  const [container] = spec.template.spec?.containers ?? [];
  return container?.env?.find(({ name }) => name === serverUidVariable)?.value;
}

/** A Job that runs longer has failed: what it waits for will not come. */
export const longestHours = 24;

/**
 * Returns the Job that writes a backup of databases that pods of `servedVersion` use, or verifies an existing one. It is created once and
 * runs once: a backup that failed partway is not repeated, because an administrator must know that there is none. Its pods have the labels of the server, so they have its NetworkPolicy, and another
 * component than the pods that the Service selects.
 */
export function backupJob(model: ServerModel, backup: MlflowBackup, servedVersion = model.version): Job {
  const { owner, pod, volume } = model;
  const { metadata } = backup;
  const main = isExisting(backup) ? verification(model, backup) : writing(model, backup, servedVersion);
  const spec = {
    ...podSpec(model, { main: [main] }),
    // A volume can be attached to one node only.
    ...(volume?.isExclusive === true && !isExisting(backup) && { affinity: nearServer(model) }),
    restartPolicy: "Never",
  };
  const ownerReference = {
    apiVersion,
    kind: "MlflowBackup",
    name: metadata.name,
    uid: metadata.uid ?? "",
    controller: true,
  };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: backupJobName(backup),
      namespace: model.namespace,
      labels: { ...labels(owner, "backup"), [label.version]: model.version },
      ownerReferences: [ownerReference],
    },
    spec: {
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      // Later backups of the server wait for this one.
      activeDeadlineSeconds: longestHours * 3600,
      template: {
        metadata: {
          labels: { ...pod.labels, ...labels(owner, "backup") },
          ...(pod.annotations && { annotations: pod.annotations }),
        },
        spec,
      },
    },
  };
}

/** Whether the files of a backup exist already, and are only verified. */
export function isExisting({ spec }: MlflowBackup): boolean {
  return spec.existing !== undefined;
}

function verification(model: ServerModel, backup: MlflowBackup): MountedContainer {
  const { mounted, env } = destinationOf(backup, "read");
  const { command, variable } = program(verifyBackupProgram);
  const variables = [variable, ...temporaryVariables, ...env];
  return {
    container: taskContainer(model, containerName, command, variables),
    mounted: [temporary(model), ...mounted],
  };
}

/** Returns the server's volume. Only SQLite needs to write to it: its online backup locks the database by a file. */
function sources(model: ServerModel): Mounted[] {
  if (model.database.volume !== undefined) return data(model);
  return data(model).map(({ volume, mounts }) => ({
    volume,
    mounts: mounts.map((mount) => ({ ...mount, readOnly: true })),
  }));
}

function writing(model: ServerModel, backup: MlflowBackup, servedVersion: string): MountedContainer {
  const { schedule } = backup.spec;
  const { command, variable } = program(backupProgram);
  const destination = destinationOf(backup, "write");
  const container = taskContainer(model, containerName, command, [
    variable,
    // The program reads the schema, and never changes it.
    literal("MIGRATION_MODE", "check"),
    ...temporaryVariables,
    literal("BACKUP_NAME", backup.metadata.name),
    literal("BACKUP_UID", backup.metadata.uid ?? ""),
    literal("BACKUP_SERVER_NAME", model.name),
    literal("BACKUP_SERVER_NAMESPACE", model.namespace),
    literal(serverUidVariable, model.owner.metadata.uid ?? ""),
    // While a change of the version is held, the image has the new one.
    literal("BACKUP_MLFLOW_VERSION", servedVersion),
    ...(schedule === undefined ? [] : [literal("BACKUP_SCHEDULE", schedule.name)]),
    ...(schedule?.keep === undefined ? [] : [literal("BACKUP_KEEP", String(schedule.keep))]),
    ...(schedule?.olderThan === undefined
      ? []
      : [literal("BACKUP_OLDER_THAN_SECONDS", String(secondsOf(schedule.olderThan)))]),
    ...destination.env,
    ...contentVariables(model),
    ...databaseVariables(model),
  ]);
  const mounted = [temporary(model), ...sources(model), ...model.databaseFiles, ...destination.mounted];
  return { container, mounted };
}

/** Returns the location of the artifacts and the encryption keys of a server, which the manifest of a backup describes. */
export function contentVariables({ artifacts, session }: ServerModel): V1EnvVar[] {
  return [
    // The name of a bucket can be in a Secret or ConfigMap.
    ...artifacts.env.filter(({ name }) => artifacts.location.includes(`$(${name})`)),
    { name: "BACKUP_ARTIFACTS", value: artifacts.location },
    fromSecret("BACKUP_KEK_PASSPHRASE", session.secret, dataKeys.kekPassphrase),
    fromSecret("BACKUP_WEBHOOK_KEY", session.secret, dataKeys.webhookKey),
  ];
}

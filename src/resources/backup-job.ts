import { createHash } from "node:crypto";
import type { V1EnvVar } from "@kubernetes/client-node";
import type { MlflowBackup } from "../api/backup.ts";
import { apiVersion } from "../api/server.ts";
import { caFileVolume, type Mounted } from "../features/common/mounted-volume.ts";
import { caReferences, type Reference, secretReference } from "../features/common/reference.ts";
import type { ServerModel } from "../features/server-model.ts";
import type { Job } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { fromSecret, literal } from "../kube/variable.ts";
import { labels } from "../model/metadata.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { databaseVariables, nearServer } from "./migration-job.ts";
import { podSpec } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { taskContainer } from "./pod/task.ts";
import { data, temporary, temporaryPath } from "./pod/volumes.ts";
import { backupProgram } from "./python-programs.ts";

const volumePath = "/mlflow/backups";
const caPath = "/etc/mlflow/ca/backup/ca.crt";

/** Returns the name of the Job of a backup. An MlflowBackup that is created again with the same name has another Job. */
export function backupJobName({ metadata, spec }: MlflowBackup): string {
  const hash = createHash("sha256")
    .update(metadata.uid ?? "")
    .digest("hex");
  return objectNames.backupJob(spec.serverRef.name, hash.slice(0, 10));
}

/** Returns the folder of a backup below its destination: unique, and readable. */
function directoryOf({ metadata, spec }: MlflowBackup): string {
  const { name, namespace, creationTimestamp = "" } = metadata;
  const time = creationTimestamp.replaceAll(/[-:]/g, "");
  const path = spec.destination.persistentVolumeClaim?.path;
  return [...(path === undefined ? [] : [path]), namespace, spec.serverRef.name, `${name}-${time}`].join("/");
}

/** Returns where a backup is, for its status. */
export function locationOf(backup: MlflowBackup): string {
  const { persistentVolumeClaim, s3 } = backup.spec.destination;
  const directory = directoryOf(backup);
  if (persistentVolumeClaim !== undefined) return `pvc://${persistentVolumeClaim.claimName}/${directory}`;
  return `s3://${[s3?.bucket, s3?.prefix, directory].filter((part) => part !== undefined).join("/")}`;
}

/** Returns the Secrets and ConfigMaps that a backup references. */
export function backupReferences({ spec: { destination } }: MlflowBackup): Reference[] {
  const { s3 } = destination;
  if (s3 === undefined) return [];
  const path = "spec.destination.s3";
  const { name, id, secret } = accessKeyOf(s3);
  return [secretReference(name, [id, secret], `${path}.credentialsSecretRef`), ...caReferences(s3.ca, `${path}.ca`)];
}

type S3Destination = NonNullable<MlflowBackup["spec"]["destination"]["s3"]>;

function accessKeyOf({ credentialsSecretRef }: S3Destination) {
  const { name, accessKeyIDKey, secretAccessKeyKey } = credentialsSecretRef;
  return { name, id: accessKeyIDKey ?? "AWS_ACCESS_KEY_ID", secret: secretAccessKeyKey ?? "AWS_SECRET_ACCESS_KEY" };
}

/**
 * Returns the Job that writes a backup. It is created once and runs once: a backup that failed partway is not repeated, because an
 * administrator must know that there is none. Its pods have the labels of the server, so they have its NetworkPolicy, and another
 * component than the pods that the Service selects.
 */
export function backupJob(model: ServerModel, backup: MlflowBackup): Job {
  const { owner, pod, volume } = model;
  const { metadata } = backup;
  const destination = destinationOf(backup);
  const mounted = [temporary(model), ...sources(model), ...model.databaseFiles, ...destination.mounted];
  const spec = {
    ...podSpec(model, { main: [{ container: container(model, backup, destination), mounted }] }),
    // A volume can be attached to one node only.
    ...(volume?.isExclusive === true && { affinity: nearServer(model) }),
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

/** Returns the server's volume. Only SQLite needs to write to it: its online backup locks the database by a file. */
function sources(model: ServerModel): Mounted[] {
  if (model.database.volume !== undefined) return data(model);
  return data(model).map(({ volume, mounts }) => ({
    volume,
    mounts: mounts.map((mount) => ({ ...mount, readOnly: true })),
  }));
}

interface BackupDestination {
  readonly mounted: readonly Mounted[];
  readonly env: readonly V1EnvVar[];
}

function destinationOf({ spec: { destination } }: MlflowBackup): BackupDestination {
  const { persistentVolumeClaim, s3 } = destination;
  if (persistentVolumeClaim !== undefined) {
    const { claimName } = persistentVolumeClaim;
    return {
      mounted: [
        {
          volume: { name: "backups", persistentVolumeClaim: { claimName } },
          mounts: [{ name: "backups", mountPath: volumePath }],
        },
      ],
      env: [literal("BACKUP_DESTINATION", volumePath)],
    };
  }
  if (s3 === undefined) throw new Error("spec.destination has no supported member.");
  const { bucket, prefix, region, endpointURL, ca } = s3;
  const { name, id, secret } = accessKeyOf(s3);
  return {
    mounted: ca === undefined ? [] : [caFileVolume("ca-backup", ca, caPath)],
    env: [
      literal("BACKUP_DESTINATION", prefix === undefined ? `s3://${bucket}` : `s3://${bucket}/${prefix}`),
      ...(region === undefined ? [] : [literal("AWS_REGION", region), literal("AWS_DEFAULT_REGION", region)]),
      ...(endpointURL === undefined ? [] : [literal("BACKUP_ENDPOINT_URL", endpointURL)]),
      ...(ca === undefined ? [] : [literal("AWS_CA_BUNDLE", caPath)]),
      fromSecret("AWS_ACCESS_KEY_ID", name, id),
      fromSecret("AWS_SECRET_ACCESS_KEY", name, secret),
    ],
  };
}

function container(model: ServerModel, backup: MlflowBackup, destination: BackupDestination) {
  const { artifacts, session } = model;
  const { command, variable } = program(backupProgram);
  return taskContainer(model, "backup", command, [
    variable,
    // The program reads the schema, and never changes it.
    literal("MIGRATION_MODE", "check"),
    literal("HOME", temporaryPath),
    literal("TMPDIR", temporaryPath),
    literal("BACKUP_NAME", backup.metadata.name),
    literal("BACKUP_DIRECTORY", directoryOf(backup)),
    literal("BACKUP_SERVER_NAME", model.name),
    literal("BACKUP_SERVER_NAMESPACE", model.namespace),
    literal("BACKUP_SERVER_UID", model.owner.metadata.uid ?? ""),
    // The name of a bucket can be in a Secret or ConfigMap.
    ...artifacts.env.filter(({ name }) => artifacts.location.includes(`$(${name})`)),
    { name: "BACKUP_ARTIFACTS", value: artifacts.location },
    ...destination.env,
    fromSecret("BACKUP_KEK_PASSPHRASE", session.secret, dataKeys.kekPassphrase),
    fromSecret("BACKUP_WEBHOOK_KEY", session.secret, dataKeys.webhookKey),
    ...databaseVariables(model),
  ]);
}

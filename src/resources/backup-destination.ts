import { createHash } from "node:crypto";
import type { V1EnvVar } from "@kubernetes/client-node";
import type { MlflowBackup } from "../api/backup.ts";
import { caFileVolume, type Mounted } from "../features/common/mounted-volume.ts";
import { caReferences, type Reference, secretReference } from "../features/common/reference.ts";
import { fromSecret, literal } from "../kube/variable.ts";

const volumePath = "/mlflow/backups";
const caPath = "/etc/mlflow/ca/backup/ca.crt";

/** Returns the folder of a backup below its destination: unique, and readable. */
function directoryOf(backup: MlflowBackup): string {
  const path = backup.spec.destination.persistentVolumeClaim?.path;
  return [...(path === undefined ? [] : [path]), ...foldersOf(backup)].join("/");
}

/** File systems allow 255 bytes, of which time, hash and the suffix of an incomplete backup need 35. */
const longestName = 200;

/** Two clusters can write to one bucket, and their schedules create MlflowBackups of the same name in the same second. */
function foldersOf(backup: MlflowBackup): readonly string[] {
  const { metadata, spec } = backup;
  if (spec.existing !== undefined) return [spec.existing.path];
  const { name, namespace, creationTimestamp = "" } = metadata;
  const time = creationTimestamp.replaceAll(/[-:]/g, "");
  return [namespace, spec.serverRef.name, `${name.slice(0, longestName)}-${time}-${uidHash(backup)}`];
}

/** Returns a hash of the uid, which no other MlflowBackup has, in any cluster. */
export function uidHash({ metadata: { uid = "" } }: MlflowBackup): string {
  return createHash("sha256").update(uid).digest("hex").slice(0, 10);
}

/** Returns where a backup is, for its status. */
export function locationOf(backup: MlflowBackup): string {
  const { persistentVolumeClaim, s3 } = backup.spec.destination;
  const directory = directoryOf(backup);
  if (persistentVolumeClaim !== undefined) return `pvc://${persistentVolumeClaim.claimName}/${directory}`;
  return `s3://${[s3?.bucket, s3?.prefix, directory].filter((part) => part !== undefined).join("/")}`;
}

/** Returns the Secrets and ConfigMaps that a backup, or the backups of a schedule, reference. */
export function backupReferences({
  spec: { destination },
}: {
  readonly spec: Pick<MlflowBackup["spec"], "destination">;
}): Reference[] {
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

/** Volumes and variables for a program that writes or reads backups. */
interface BackupDestination {
  readonly mounted: readonly Mounted[];
  readonly env: readonly V1EnvVar[];
}

/** Returns the destination of a backup for a program. It is mounted read-only unless the program writes the backup. */
export function destinationOf(backup: MlflowBackup, access: "write" | "read"): BackupDestination {
  const { persistentVolumeClaim, s3 } = backup.spec.destination;
  const directory = literal("BACKUP_DIRECTORY", directoryOf(backup));
  if (persistentVolumeClaim !== undefined) {
    const { claimName } = persistentVolumeClaim;
    return {
      mounted: [
        {
          volume: { name: "backups", persistentVolumeClaim: { claimName } },
          mounts: [{ name: "backups", mountPath: volumePath, ...(access === "read" && { readOnly: true }) }],
        },
      ],
      env: [literal("BACKUP_DESTINATION", volumePath), directory],
    };
  }
  if (s3 === undefined) throw new Error("spec.destination has no supported member.");
  const { bucket, prefix, region, endpointURL, ca } = s3;
  const { name, id, secret } = accessKeyOf(s3);
  return {
    mounted: ca === undefined ? [] : [caFileVolume("ca-backup", ca, caPath)],
    env: [
      directory,
      literal("BACKUP_DESTINATION", prefix === undefined ? `s3://${bucket}` : `s3://${bucket}/${prefix}`),
      ...(region === undefined ? [] : [literal("AWS_REGION", region), literal("AWS_DEFAULT_REGION", region)]),
      ...(endpointURL === undefined ? [] : [literal("BACKUP_ENDPOINT_URL", endpointURL)]),
      ...(ca === undefined ? [] : [literal("AWS_CA_BUNDLE", caPath)]),
      fromSecret("AWS_ACCESS_KEY_ID", name, id),
      fromSecret("AWS_SECRET_ACCESS_KEY", name, secret),
    ],
  };
}

import { z } from "zod";
import { longestScheduleName } from "../kube/names.ts";
import { exactlyOneOf, type Rule, requiredRemedy, rules } from "./fields/rule.ts";
import { accessKeySecret, bucketName, s3 } from "./fields/s3-store.ts";
import { dnsLabel, serverName } from "./fields/server-name.ts";
import { objectName, text } from "./fields/text.ts";

/** Whether a path is relative and leads to no parent directory. */
const relativePath = String.raw`!self.startsWith('/') && !self.endsWith('/') && !self.matches('[\\\\]|//|(^|/)[.][.]?(/|$)')`;

const persistentVolumeClaim = z
  .strictObject({
    claimName: objectName(
      "Name of a PersistentVolumeClaim in this namespace; it must exist, and must not be the data volume of an MlflowServer. Example: mlflow-backups.",
    ).meta({ ...requiredRemedy("write the name of a PersistentVolumeClaim in this namespace") }),
    path: text("Folder of the volume. Default: the root of the volume. Example: production.", 512, {
      rule: relativePath,
      message:
        "path is a relative path such as production/mlflow: without a leading or trailing slash, and without //, ., .. and backslash",
    }).optional(),
  })
  .meta({ description: "A volume. Example: {claimName: mlflow-backups}." });

const existing = z
  .strictObject({
    path: text(
      "Folder of the backup in the destination, below its path or prefix. Example: ml/tracking/nightly-20260131T180000Z-4f1c2d9e0b.",
      512,
      {
        rule: relativePath,
        message:
          "path is the folder of the backup in the destination, such as ml/tracking/nightly-20260131T180000Z-4f1c2d9e0b: without a leading or trailing slash, and without //, ., .. and backslash",
      },
    ).meta({
      ...requiredRemedy(
        "write the folder of the backup in the destination, such as path: ml/tracking/nightly-20260131T180000Z-4f1c2d9e0b",
      ),
    }),
  })
  .meta({
    description:
      "A backup whose files exist already, such as one of another namespace or cluster. The operator verifies the files and writes none; it uses the image and the pod settings of the server. Example: {path: ml/tracking/nightly-20260131T180000Z-4f1c2d9e0b}.",
  });

const bucket = z
  .strictObject({
    bucket: bucketName("Name of the bucket; it must exist. Example: mlflow-backups.").meta({
      ...requiredRemedy("write the name of the bucket"),
    }),
    prefix: s3.shape.prefix,
    region: s3.shape.region,
    endpointURL: s3.shape.endpointURL,
    credentialsSecretRef: accessKeySecret(
      "The access key. It needs s3:PutObject, s3:GetObject and s3:AbortMultipartUpload on the prefix; for the retention of a schedule also s3:DeleteObject, and s3:ListBucket on the bucket. Example: {name: mlflow-backup-s3}.",
    ).meta({
      ...requiredRemedy("write the Secret with the access key, such as credentialsSecretRef: {name: mlflow-backup-s3}"),
    }),
    ca: s3.shape.ca,
  })
  .meta({
    description:
      "A bucket in S3 or an S3-compatible store. Example: {bucket: mlflow-backups, credentialsSecretRef: {name: mlflow-backup-s3}}.",
  });

/** The server of a backup or a schedule. */
export const backedUpServer = z.strictObject({ name: serverName }).meta({
  description: "The MlflowServer in this namespace. Example: {name: tracking}.",
  ...requiredRemedy("write the MlflowServer, such as serverRef: {name: tracking}"),
});

/** Where backups are written. */
export const backupDestination = z
  .strictObject({ persistentVolumeClaim: persistentVolumeClaim.optional(), s3: bucket.optional() })
  .meta({
    description: "Where the backup is written. Example: {persistentVolumeClaim: {claimName: mlflow-backups}}.",
    ...rules(exactlyOneOf(["persistentVolumeClaim", "s3"], "a backup is written to one place")),
    ...requiredRemedy("write a destination, such as destination: {persistentVolumeClaim: {claimName: mlflow-backups}}"),
  });

/** The rule that a backup is not on the data volume of its server, for the spec that has both. */
export const notOnOwnVolume: Rule = {
  rule: "!has(self.destination.persistentVolumeClaim) || self.destination.persistentVolumeClaim.claimName != self.serverRef.name",
  message:
    "the claim with the name of the server is its data volume, and a backup there is lost with the data: name another claim, or a bucket",
  fieldPath: ".destination",
};

/** Which backups of a schedule are kept. With both, a backup is deleted only if neither keeps it. */
export const keptBackups = {
  keep: z
    .int()
    .min(1)
    .max(1000)
    .meta({
      description: "Number of complete backups of the schedule that are kept, however old they are. Example: 7.",
    })
    .optional(),
  olderThan: z
    .string()
    .max(8)
    .meta({
      description:
        "Age up to which complete backups of the schedule are kept, however many: the time from their creation to that of the new one. Example: 720h.",
      ...rules({ rule: "self.matches('^[1-9][0-9]*[hms]$')", message: "must be a time such as 720h or 90m" }),
    })
    .optional(),
};

/** What a user writes under `spec` of an MlflowBackup. */
export const mlflowBackupSpec = z
  .strictObject({
    serverRef: backedUpServer,
    destination: backupDestination,
    schedule: z
      .strictObject({
        name: dnsLabel(
          "Name of the MlflowBackupSchedule.",
          longestScheduleName,
          "an MlflowBackupSchedule",
          "write the name of the MlflowBackupSchedule",
        ),
        ...keptBackups,
      })
      .meta({
        description:
          "The schedule that this backup belongs to. The operator sets it. With keep or olderThan, the files of other backups are deleted when this one is complete. Example: {name: nightly, keep: 7}.",
      })
      .optional(),
    existing: existing.optional(),
  })
  .meta({
    description: "The server, and where its backup is written. It cannot be changed.",
    ...rules(
      {
        rule: "self == oldSelf",
        message: "the spec of an MlflowBackup cannot be changed: create another one",
      },
      {
        rule: "!has(self.existing) || !has(self.schedule)",
        message:
          "existing files are not a backup of a schedule, whose retention would delete this object: remove schedule",
      },
      notOnOwnVolume,
    ),
    ...requiredRemedy("write spec with serverRef and destination"),
  });

export type MlflowBackupSpec = z.infer<typeof mlflowBackupSpec>;

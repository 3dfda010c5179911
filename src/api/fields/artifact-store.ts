import { z } from "zod";
import { defaults } from "../defaults.ts";
import { certificateAuthority } from "./reference.ts";
import { demanded, exactlyOneOf, mayBeEmpty, rules } from "./rule.ts";
import { dataKey, objectName, size, text } from "./text.ts";
import { hostWithPort } from "./url-host.ts";
import { accessModesRule, volumeRules } from "./volume.ts";

const persistentVolume = z
  .strictObject({
    size: size(
      `Size of the volume. Default: ${defaults.artifactVolumeSize}. It may grow later, where the storage class allows it.`,
    ).optional(),
    storageClassName: objectName("Storage class of the volume. Default: the cluster's default class.").optional(),
    accessModes: z
      .array(z.enum(["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]).meta({ description: "An access mode." }))
      .min(1)
      .max(1)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description: "How the volume may be mounted. Default: [ReadWriteOnce]. Several replicas need [ReadWriteMany].",
      })
      .optional(),
  })
  .meta({
    description: "Files on a volume of the server's own. Example: persistentVolume: { size: 20Gi }.",
    ...mayBeEmpty,
    ...rules(...volumeRules(defaults.artifactVolumeSize), accessModesRule(defaults.accessModes)),
  });

const s3 = z
  .strictObject({
    bucket: text("Name of the bucket; it must exist.", 63, {
      rule: "self.matches('^[a-z0-9][a-z0-9.-]+[a-z0-9]$')",
      message: "bucket is a bucket name only, without s3:// and without a path (use prefix for the path)",
    }),
    prefix: text("Path within the bucket. Example: team-a/mlflow.", 512, {
      rule: String.raw`!self.startsWith('/') && !self.endsWith('/') && !self.matches('[?#\\\\]|//|(^|/)[.][.]?(/|$)')`,
      message:
        "prefix is a path such as team-a/mlflow: without a slash at its ends, and without //, ., .., ?, # and backslash",
    }).optional(),
    region: text("Region of the bucket. Example: eu-central-1.", 63).optional(),
    endpointURL: text("URL of an S3-compatible store. Default: AWS. Example: https://minio.example.com:9000.", 512, {
      rule: String.raw`self.matches('^https?://${hostWithPort}(/[^@?#\\s]*)?$')`,
      message:
        "endpointURL is an http or https URL of host and port, such as https://minio.example.com:9000, without user and query",
    }).optional(),
    credentialsSecretRef: z
      .strictObject({
        name: objectName("Name of a Secret in the namespace of the MlflowServer."),
        accessKeyIDKey: dataKey("Key of the access key id. Default: AWS_ACCESS_KEY_ID.").optional(),
        secretAccessKeyKey: dataKey("Key of the secret access key. Default: AWS_SECRET_ACCESS_KEY.").optional(),
      })
      .meta({
        description:
          "Access key. Leave it out where the pods get their rights otherwise, such as by serviceAccount.annotations (IRSA). A change rolls the pods.",
      })
      .optional(),
    ca: certificateAuthority("Certificate authority of the store at endpointURL.").optional(),
  })
  .meta({ description: "A bucket in S3 or in a store that speaks its protocol." });

const location = text("A location: s3://, with a bucket and a path if there is one.", 1024, {
  rule: String.raw`self.matches('^s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[^?#%\\\\\\s/]+)*$') && !self.matches('/[.][.]?(/|$)')`,
  message:
    "a location is s3://, a bucket and a path, such as s3://former-bucket/mlflow: without a slash at its end, and without //, ., .., ?, #, % and backslash",
});

/** Where MLflow keeps artifacts. */
export const artifactStore = z
  .strictObject({
    persistentVolume: persistentVolume.optional(),
    s3: s3.optional(),
    access: z
      .enum(["Proxied", "Direct"])
      .meta({
        description:
          "Proxied (default): clients send and fetch artifacts through MLflow and need no rights on the store. " +
          "Direct: clients talk to the store with credentials of their own.",
      })
      .optional(),
    connectionCheck: z
      .boolean()
      .meta({
        description:
          "Whether the migration's Job shows that MLflow may write to the bucket before pods start. Default: true. " +
          "Set it to false for a server that shall only read.",
      })
      .optional(),
    additionalLocations: z
      .array(location)
      .max(16)
      .meta({
        description:
          "Locations, besides the store of this server, at which artifacts of existing experiments are, such as those of a former server on the same database. MLflow reads and writes there with the credentials of this server for anyone who has access to the experiment or model. Default: none: MLflow refuses artifacts at any other location. Example: [s3://former-bucket/mlflow].",
        "x-kubernetes-list-type": "set",
      })
      .optional(),
    maxUploadSize: size(
      `Largest artifact that a client may send through MLflow; sizes the pods' temporary space, and how long the proxy waits until MLflow has stored it. Default: ${defaults.maxUploadSize}.`,
    ).optional(),
  })
  .meta({
    description: "The store of artifacts. Exactly one of persistentVolume and s3.",
    ...demanded("write persistentVolume: {} for a volume of the server's own, or s3 with a bucket"),
    ...rules(
      exactlyOneOf(["persistentVolume", "s3"], "artifacts have one store"),
      {
        rule: "!(has(self.persistentVolume) && has(self.access) && self.access == 'Direct')",
        message: "access: Direct needs s3: clients cannot reach a volume; leave out access",
      },
      {
        rule: "!has(self.connectionCheck) || (has(self.s3) && !(has(self.access) && self.access == 'Direct'))",
        message: "connectionCheck is about a bucket that MLflow itself writes to: it needs s3, without access: Direct",
      },
      {
        rule: "has(self.persistentVolume) == has(oldSelf.persistentVolume)",
        message:
          "a server cannot move between persistentVolume and s3: nothing would copy its artifacts. Create a second MlflowServer and copy them there",
      },
    ),
  });

export type ArtifactStore = z.infer<typeof artifactStore>;

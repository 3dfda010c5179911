import { z } from "zod";
import { defaults } from "../defaults.ts";
import { certificateAuthority } from "./reference.ts";
import { exactlyOneOf, mayBeEmpty, requiredRemedy, rules } from "./rule.ts";
import { dataKey, objectName, size, text, url } from "./text.ts";
import { hostWithPort } from "./url-host.ts";
import { accessModesRule, volumeRules } from "./volume.ts";

const persistentVolume = z
  .strictObject({
    size: size(
      `Size of the volume. Default: ${defaults.artifactVolumeSize}. It can be increased later if the storage class allows expansion. Example: 50Gi.`,
    ).optional(),
    storageClassName: objectName(
      "StorageClass of the volume. Default: the default class of the cluster. Example: fast.",
    ).optional(),
    accessModes: z
      .array(z.enum(["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]).meta({ description: "An access mode." }))
      .min(1)
      .max(1)
      .meta({
        "x-kubernetes-list-type": "atomic",
        description:
          "Access modes of the volume. Default: [ReadWriteOnce]. Several replicas require ReadWriteMany. Example: [ReadWriteMany].",
      })
      .optional(),
  })
  .meta({
    description: "A volume of the server. Example: {size: 20Gi}.",
    ...mayBeEmpty,
    ...rules(...volumeRules(defaults.artifactVolumeSize), accessModesRule(defaults.accessModes)),
  });

const s3 = z
  .strictObject({
    bucket: text("Name of the bucket; it must exist. Example: mlflow-artifacts.", 63, {
      rule: "self.matches('^[a-z0-9][a-z0-9.-]+[a-z0-9]$')",
      message: "bucket is a bucket name only, without s3:// and without a path (use prefix for the path)",
    }),
    prefix: text("Path within the bucket. Default: the root of the bucket. Example: team-a/mlflow.", 512, {
      rule: String.raw`!self.startsWith('/') && !self.endsWith('/') && !self.matches('[?#\\\\]|//|(^|/)[.][.]?(/|$)')`,
      message:
        "prefix is a path such as team-a/mlflow: without a leading or trailing slash, and without //, ., .., ?, # and backslash",
    }).optional(),
    region: text("Region of the bucket. Default: that of the AWS SDK. Example: eu-central-1.", 63).optional(),
    endpointURL: url("URL of an S3-compatible store. Default: AWS. Example: https://minio.example.com:9000.", 512, {
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
          "The access key. Default: none; the pods get their permissions from the cloud, such as by serviceAccount.annotations (IRSA). A change rolls the pods. Example: {name: mlflow-s3}.",
      })
      .optional(),
    ca: certificateAuthority(
      "CA bundle for the store at endpointURL. Default: the public CAs. Example: {configMapRef: {name: example-ca}}.",
    ).optional(),
  })
  .meta({
    description: "A bucket in S3 or an S3-compatible store. Example: {bucket: mlflow-artifacts, region: eu-central-1}.",
  });

const location = url("A location: s3://, a bucket and an optional path. Example: s3://former-bucket/mlflow.", 1024, {
  rule: String.raw`self.matches('^s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[^?#%\\\\\\s/]+)*$') && !self.matches('/[.][.]?(/|$)')`,
  message:
    "a location is s3://, a bucket and a path, such as s3://former-bucket/mlflow: without a trailing slash, and without //, ., .., ?, #, % and backslash",
});

/** The store of artifacts. */
export const artifactStore = z
  .strictObject({
    persistentVolume: persistentVolume.optional(),
    s3: s3.optional(),
    access: z
      .enum(["Proxied", "Direct"])
      .meta({
        description:
          "How clients access artifacts. Proxied (default): through MLflow, without permissions on the store. " +
          "Direct: in the store, with their own credentials. Example: Direct.",
      })
      .optional(),
    connectionCheck: z
      .boolean()
      .meta({
        description:
          "Whether the migration Job checks that MLflow can write to the bucket before pods start. Default: true. " +
          "Set it to false for a read-only server. Example: false.",
      })
      .optional(),
    additionalLocations: z
      .array(location)
      .max(16)
      .meta({
        description:
          "Further locations of artifacts of existing experiments, such as those of a former server on the same database. MLflow reads and writes there with the credentials of this server for every user who has access to the experiment or model. Default: none; MLflow denies access to artifacts at any other location. Example: [s3://former-bucket/mlflow].",
        "x-kubernetes-list-type": "set",
      })
      .optional(),
    maxUploadSize: size(
      `Maximum size of an artifact that a client uploads through MLflow. It also sets the temporary space of the pods and the timeout of the proxy. Default: ${defaults.maxUploadSize}. Example: 50Gi.`,
    ).optional(),
  })
  .meta({
    description: "The store of artifacts. Exactly one of persistentVolume and s3. Example: {persistentVolume: {}}.",
    ...requiredRemedy("write persistentVolume: {} for a volume, or s3 with a bucket"),
    ...rules(
      exactlyOneOf(["persistentVolume", "s3"], "artifacts have one store"),
      {
        rule: "!(has(self.persistentVolume) && has(self.access) && self.access == 'Direct')",
        message: "access: Direct needs s3: clients cannot reach a volume; leave out access",
      },
      {
        rule: "!has(self.connectionCheck) || (has(self.s3) && !(has(self.access) && self.access == 'Direct'))",
        message: "connectionCheck checks a bucket that MLflow writes to: it needs s3, without access: Direct",
      },
      {
        rule: "has(self.persistentVolume) == has(oldSelf.persistentVolume)",
        message:
          "a server cannot move between persistentVolume and s3, since the operator does not copy artifacts: create a second MlflowServer and copy them there",
      },
    ),
  });

export type ArtifactStore = z.infer<typeof artifactStore>;

import { changed, type Document } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

/** An MlflowBackup on a volume, with every field. */
export const onVolume: Document = {
  apiVersion: "mlflow-operator.dev/v1alpha1",
  kind: "MlflowBackup",
  metadata: { name: "nightly" },
  spec: {
    serverRef: { name: "tracking" },
    destination: { persistentVolumeClaim: { claimName: "mlflow-backups", path: "production/mlflow" } },
    schedule: { name: "nightly", keep: 7, olderThan: "720h" },
  },
};

/** An MlflowBackup in a bucket, with every field. */
const inBucket: Document = {
  ...onVolume,
  spec: {
    serverRef: { name: "tracking" },
    destination: {
      s3: {
        bucket: "mlflow-backups",
        prefix: "production/mlflow",
        region: "eu-central-1",
        endpointURL: "https://minio.example.com:9000",
        credentialsSecretRef: { name: "backup-s3", accessKeyIDKey: "id", secretAccessKeyKey: "key" },
        ca: { configMapRef: { name: "example-ca", key: "ca.crt" } },
      },
    },
  },
};

const withCaInSecret = changed(inBucket, {
  "spec.destination.s3.ca": { secretRef: { name: "example-ca", key: "ca.pem" } },
});

const existing = changed(inBucket, { "spec.existing": { path: "ml/tracking/nightly-20260131T180000Z" } });

export const rightBackups: Readonly<Record<string, Document>> = { onVolume, inBucket, withCaInSecret, existing };

const [ofVolume, ofBucket] = [wrong(onVolume), wrong(inBucket)];
const claim = "spec.destination.persistentVolumeClaim";
const s3 = "spec.destination.s3";

export const wrongBackups: readonly Wrong[] = [
  ofVolume("no spec", { spec: undefined }, "spec", "write spec with serverRef and destination"),
  ofVolume("no server", { "spec.serverRef": undefined }, "spec.serverRef", "such as serverRef: {name: tracking}"),
  ofVolume(
    "an invalid name of the server",
    { "spec.serverRef.name": "a.b" },
    "spec.serverRef.name",
    "must be the name of an Mlflow",
  ),
  ofVolume("a server in another namespace", { "spec.serverRef.namespace": "ml" }, "", "spec.serverRef.namespace"),
  ofVolume("no destination", { "spec.destination": undefined }, "spec.destination", "write a destination, such as"),
  ofVolume(
    "a destination without a member",
    { "spec.destination": {} },
    "spec.destination",
    "set exactly one of persistentVolumeClaim, s3",
  ),
  ofBucket(
    "two destinations",
    { [claim]: { claimName: "mlflow-backups" } },
    "spec.destination",
    "set exactly one of persistentVolumeClaim, s3",
  ),
  ofVolume(
    "existing files with a schedule",
    { "spec.existing": { path: "ml/tracking/nightly-20260131T180000Z" } },
    "spec",
    "remove schedule",
  ),
  ofVolume(
    "the data volume of its server as the claim",
    { [`${claim}.claimName`]: "tracking" },
    "spec.destination",
    "the claim with the name of the server is its data volume",
  ),
  ofVolume(
    "an age of the kept backups without unit",
    { "spec.schedule.olderThan": "30" },
    "spec.schedule.olderThan",
    "must be a time such as 720h",
  ),
  ofVolume("no claim", { [`${claim}.claimName`]: undefined }, `${claim}.claimName`, "write the name of a Persistent"),
  ofVolume("an absolute path", { [`${claim}.path`]: "/mlflow" }, `${claim}.path`, "path is a relative path such as"),
  ofVolume("a path upwards", { [`${claim}.path`]: "a/../../b" }, `${claim}.path`, "path is a relative path such as"),
  ofBucket("no bucket", { [`${s3}.bucket`]: undefined }, `${s3}.bucket`, "write the name of the bucket"),
  ofBucket("a bucket with a path", { [`${s3}.bucket`]: "a/b" }, `${s3}.bucket`, "use prefix for the path"),
  ofBucket(
    "no credentials",
    { [`${s3}.credentialsSecretRef`]: undefined },
    `${s3}.credentialsSecretRef`,
    "write the Secret with the access key",
  ),
  ofBucket(
    "a password in the URL",
    { [`${s3}.endpointURL`]: "https://a:b@minio.example.com" },
    `${s3}.endpointURL`,
    "credentials belong in a Secret",
  ),
  ofVolume(
    "no folder of an existing backup",
    { "spec.existing": {} },
    "spec.existing.path",
    "write the folder of the backup",
  ),
  ofVolume(
    "a location as the path of an existing backup",
    { "spec.existing": { path: "s3://mlflow-backups/ml" } },
    "spec.existing.path",
    "path is the folder of the backup in the destination",
  ),
  ofVolume(
    "a path upwards to an existing backup",
    { "spec.existing": { path: "../other" } },
    "spec.existing.path",
    "path is the folder of the backup in the destination",
  ),
];

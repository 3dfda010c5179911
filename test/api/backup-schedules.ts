import { changed, type Document } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

/** An MlflowBackupSchedule with every field except those of a bucket. */
const every: Document = {
  apiVersion: "mlflow-operator.dev/v1alpha1",
  kind: "MlflowBackupSchedule",
  metadata: { name: "nightly" },
  spec: {
    serverRef: { name: "tracking" },
    schedule: "0 2 * * *",
    timeZone: "Europe/Berlin",
    suspend: true,
    startingDeadline: "4h",
    retention: { keep: 7, olderThan: "720h" },
    destination: { persistentVolumeClaim: { claimName: "mlflow-backups", path: "production/mlflow" } },
  },
};

const inBucket = changed(every, {
  "spec.destination": {
    s3: {
      bucket: "mlflow-backups",
      prefix: "production/mlflow",
      region: "eu-central-1",
      endpointURL: "https://minio.example.com:9000",
      credentialsSecretRef: { name: "backup-s3", accessKeyIDKey: "id", secretAccessKeyKey: "key" },
      ca: { configMapRef: { name: "example-ca", key: "ca.crt" } },
    },
  },
});

const withCaInSecret = changed(inBucket, {
  "spec.destination.s3.ca": { secretRef: { name: "example-ca", key: "ca.pem" } },
});

/** Schedules that are accepted. */
const schedules = ["@daily", "*/15 8-18 * * MON-fri", "0,30 0-23/2 1,15 Jan-mar sun", "59 23 31 12 7", "05 02 * * *"];

export const rightSchedules: Readonly<Record<string, Document>> = {
  every,
  inBucket,
  withCaInSecret,
  ...Object.fromEntries(schedules.map((schedule) => [schedule, changed(every, { "spec.schedule": schedule })])),
};

const of = wrong(every);
const mustBeCron = "must be a cron schedule such as 0 2 * * *";

export const wrongSchedules: readonly Wrong[] = [
  of("no spec", { spec: undefined }, "spec", "write spec with serverRef, schedule and destination"),
  of("no server", { "spec.serverRef": undefined }, "spec.serverRef", "such as serverRef: {name: tracking}"),
  of("no schedule", { "spec.schedule": undefined }, "spec.schedule", "write a cron schedule, such as 0 2 * * *"),
  of("no destination", { "spec.destination": undefined }, "spec.destination", "write a destination, such as"),
  ...[
    "0 2 * *",
    "0 2 * * * *",
    "60 2 * * *",
    "0 24 * * *",
    "0 2 0 * *",
    "0 2 * 13 *",
    "0 2 * * 8",
    "0 2 * * Mo",
    "@reboot",
    "0/5 * * * *",
    "0 2 L * *",
    " 0 2 * * *",
  ].map((schedule) =>
    of(`the schedule ${JSON.stringify(schedule)}`, { "spec.schedule": schedule }, "spec.schedule", mustBeCron),
  ),
  of("a time zone of the node", { "spec.timeZone": "Local" }, "spec.timeZone", "must be a time zone of the IANA"),
  of("an offset as time zone", { "spec.timeZone": "+01:00" }, "spec.timeZone", "such as Europe/Berlin"),
  of("a deadline without unit", { "spec.startingDeadline": "4" }, "spec.startingDeadline", "must be a time such as 4h"),
  of(
    "neither a number nor an age",
    { "spec.retention": {} },
    "spec.retention",
    "write keep: 7, olderThan: 720h or both",
  ),
  of("an age without unit", { "spec.retention.olderThan": "30" }, "spec.retention.olderThan", "must be a time such as"),
  of("an age of zero", { "spec.retention.olderThan": "0h" }, "spec.retention.olderThan", "must be a time such as 720h"),
  of("no backup that is kept", { "spec.retention.keep": 0 }, "spec.retention.keep", "greater than or equal to 1"),
  of(
    "the data volume of its server as the claim",
    { "spec.destination.persistentVolumeClaim.claimName": "tracking" },
    "spec.destination",
    "the claim with the name of the server is its data volume",
  ),
  of("a long name", { "metadata.name": "n".repeat(49) }, "metadata.name", "the name has at most 48 characters"),
  of("a name with a dot", { "metadata.name": "nightly.ml" }, "metadata.name", "only a-z, 0-9 and -"),
];

import { z } from "zod";
import { defaults } from "../defaults.ts";
import { azureBlob } from "./azure-blob-store.ts";
import { gcs } from "./gcs-store.ts";
import { exactlyOneOf, requiredRemedy, rules } from "./rule.ts";
import { s3 } from "./s3-store.ts";
import { size, storeLocation } from "./text.ts";
import { persistentVolume } from "./volume.ts";

/** The kinds of stores. Each has one file in src/features/artifacts too. */
const stores = {
  persistentVolume: persistentVolume.optional(),
  s3: s3.optional(),
  gcs: gcs.optional(),
  azureBlob: azureBlob.optional(),
};

const names = Object.keys(stores);

const location = storeLocation(
  "A location: s3://, gs:// or wasbs://, a bucket and an optional path. Example: s3://former-bucket/mlflow.",
  1024,
  {
    rule: String.raw`self.matches('^(s3://[a-z0-9][a-z0-9.-]+[a-z0-9]|gs://[a-z0-9][a-z0-9._-]+[a-z0-9]|wasbs://[a-z0-9-]+@[a-z0-9]+[.]blob[.]core[.](windows[.]net|chinacloudapi[.]cn|usgovcloudapi[.]net))(/[^?#%@\\\\\\s/]+)*$') && !self.matches('/[.][.]?(/|$)')`,
    message:
      "a location is s3://, gs:// or wasbs://, a bucket and a path, such as s3://former-bucket/mlflow: without a trailing slash, and without //, ., .., ?, #, % and backslash",
  },
);

/** The store of artifacts. */
export const artifactStore = z
  .strictObject({
    ...stores,
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
          "Further locations of artifacts of existing experiments, such as those of a previous server on the same database. MLflow reads and writes there with the credentials of this server for every user who has access to the experiment or model. Default: none; MLflow denies access to artifacts at any other location. Example: [s3://former-bucket/mlflow].",
        "x-kubernetes-list-type": "set",
      })
      .optional(),
    maxUploadSize: size(
      `Maximum size of an artifact that a client uploads through MLflow. It also sets the temporary space of the pods and the timeout of the proxy. Default: ${defaults.maxUploadSize}. Example: 50Gi.`,
    ).optional(),
  })
  .meta({
    description: `The store of artifacts. Exactly one of ${names.slice(0, -1).join(", ")} and ${names.at(-1)}. Example: {persistentVolume: {}}.`,
    ...requiredRemedy("write persistentVolume: {} for a volume, or s3 with a bucket"),
    ...rules(
      exactlyOneOf(names, "artifacts have one store"),
      {
        rule: "!(has(self.persistentVolume) && has(self.access) && self.access == 'Direct')",
        message: "access: Direct needs a bucket: clients cannot reach a volume; leave out access",
      },
      {
        rule: "!has(self.connectionCheck) || (!has(self.persistentVolume) && !(has(self.access) && self.access == 'Direct'))",
        message: "connectionCheck checks a bucket that MLflow writes to: it needs one, without access: Direct",
      },
      {
        rule: "has(self.persistentVolume) == has(oldSelf.persistentVolume)",
        message:
          "a server cannot move between persistentVolume and a bucket, since the operator does not copy artifacts: create a second MlflowServer and copy them there",
      },
    ),
  });

export type ArtifactStore = z.infer<typeof artifactStore>;

import { z } from "zod";
import { requiredRemedy } from "./rule.ts";
import { objectName } from "./text.ts";

/** The backup that a new server begins with. */
export const restore = z
  .strictObject({
    backupRef: z.strictObject({ name: objectName("Name of the MlflowBackup.") }).meta({
      description: "A completed MlflowBackup in this namespace. Example: {name: nightly}.",
      ...requiredRemedy("write the MlflowBackup, such as restore.backupRef: {name: nightly}"),
    }),
    accept: z
      .array(z.enum(["NewKeys", "MissingArtifacts"]).meta({ description: "Difference." }))
      .max(2)
      .meta({
        description:
          "Accepted: NewKeys loses stored credentials, MissingArtifacts restores no artifacts. Default: none. Example: [NewKeys].",
        "x-kubernetes-list-type": "set",
      })
      .optional(),
  })
  .meta({
    description:
      "Backup that is restored once, before the first start, into empty databases and an empty volume. Then ignored. Example: {backupRef: {name: nightly}}.",
  });

import { z } from "zod";
import { defaults } from "../defaults.ts";
import { mayBeEmpty, type Rule, rules } from "./rule.ts";
import { objectName, size, text } from "./text.ts";

const elsewhere = "create a second MlflowServer and copy the data there, or restore the old value";

/** Rules for a volume that exists: Kubernetes can only expand it. `initialSize` is the default size. */
export function volumeRules(initialSize: string): Rule[] {
  const sizeOf = (self: string) => `(has(${self}.size) ? ${self}.size : '${initialSize}')`;
  const [now, before] = [sizeOf("self"), sizeOf("oldSelf")];
  return [
    {
      rule: `!isQuantity(${now}) || quantity(${now}).compareTo(quantity(${before})) >= 0`,
      message: `a volume cannot shrink: restore the old size (${initialSize} if none was set), or ${elsewhere.split(",")[0]}`,
    },
    {
      rule: "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
      message: `the storage class of a volume cannot change: ${elsewhere}`,
    },
  ];
}

/** The rule for the access modes of a volume that exists. */
function accessModesRule(initialModes: readonly string[]): Rule {
  const listed = `[${initialModes.map((mode) => `'${mode}'`).join(", ")}]`;
  const modesOf = (self: string) => `(has(${self}.accessModes) ? ${self}.accessModes : ${listed})`;
  return {
    rule: `${modesOf("self")} == ${modesOf("oldSelf")}`,
    message: `the access modes of a volume cannot change: ${elsewhere}`,
  };
}

/** The field `artifactStore.persistentVolume`. */
export const persistentVolume = z
  .strictObject({
    existingClaim: objectName(
      "Name of a PersistentVolumeClaim that exists. The operator never changes or deletes it. Default: none; the operator creates one. Example: shared-artifacts.",
    ).optional(),
    subPath: text(
      "Folder of existingClaim that MLflow uses: artifacts are in its folder artifacts. Default: the root of the volume. Example: mlflow/team-a.",
      512,
      {
        rule: String.raw`!self.startsWith('/') && !self.endsWith('/') && !self.matches('[\\\\]|//|(^|/)[.][.]?(/|$)')`,
        message:
          "subPath is a relative path such as mlflow/team-a: without a leading or trailing slash, and without //, ., .. and backslash",
      },
    ).optional(),
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
          "Access modes of the volume. Default: [ReadWriteOnce]. Several replicas require ReadWriteMany, which existingClaim must have. Example: [ReadWriteMany].",
      })
      .optional(),
  })
  .meta({
    description: "A volume of the server. Example: {size: 20Gi}.",
    ...mayBeEmpty,
    ...rules(
      ...[...volumeRules(defaults.artifactVolumeSize), accessModesRule(defaults.accessModes)].map((each) => ({
        ...each,
        rule: `has(self.existingClaim) || has(oldSelf.existingClaim) || ${each.rule}`,
      })),
      {
        rule: "!has(self.existingClaim) || !(has(self.size) || has(self.storageClassName))",
        message: "the claim of existingClaim has its own size and class: leave out size and storageClassName",
      },
      {
        rule: "!has(self.subPath) || has(self.existingClaim)",
        message: "subPath is a folder of existingClaim: add existingClaim, or leave out subPath",
      },
    ),
  });

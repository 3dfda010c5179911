import { z } from "zod";
import { tooOldProxy } from "../images.ts";
import { type Rule, rules } from "./rule.ts";
import { objectName, plainText } from "./text.ts";

/** The fields of an image. */
const parts = (defaultTag: string, ...furtherOfTag: Rule[]) =>
  z.strictObject({
    repository: plainText(
      "Image without tag and digest. Default: the operator's setting. Example: registry.example.com/team/mlflow.",
      255,
      {
        rule: "self.matches('^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$')",
        message:
          "repository is an image name such as registry.example.com/team/mlflow, without tag (use tag) and digest (use digest)",
      },
    ).optional(),
    tag: z
      .string()
      .max(128)
      .meta({
        description: `Tag of the image. Default: ${defaultTag}. Example: "3.17.2".`,
        ...rules(...furtherOfTag, {
          rule: "self.matches('^[A-Za-z0-9_][A-Za-z0-9_.-]*$')",
          message: "tag has letters, digits, _, . and - only, such as 3.17.2: a digest belongs in digest",
        }),
      })
      .optional(),
    digest: z
      .string()
      .max(71)
      .meta({
        description:
          "Digest of the image; it overrides the tag. Default: none. Example: sha256:<64 hexadecimal digits>.",
        ...rules({
          rule: "self.matches('^sha256:[0-9a-f]{64}$')",
          message: "digest is sha256: and 64 hexadecimal digits in lower case",
        }),
      })
      .optional(),
    pullPolicy: z
      .enum(["Always", "IfNotPresent", "Never"])
      .meta({ description: "Pull policy of the image. Default: IfNotPresent. Example: Always." })
      .optional(),
    pullSecrets: z
      .array(
        z
          .strictObject({ name: objectName("Name, in this namespace.") })
          .meta({ description: "A Secret of type kubernetes.io/dockerconfigjson." }),
      )
      .max(8)
      .meta({
        description:
          "Secrets of type kubernetes.io/dockerconfigjson to pull the image with. Default: none. Example: [{name: registry}].",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      })
      .optional(),
  });

/** Overrides of the MLflow image. */
export const image = parts("spec.version").meta({
  description:
    "Overrides of the MLflow image, which must contain the MLflow of spec.version with its authentication extra and database drivers. Example: {repository: registry.example.com/team/mlflow}.",
});

/** Overrides of the image of oauth2-proxy. */
export const proxyImage = parts("the operator's setting", {
  rule: `!self.matches('${tooOldProxy}')`,
  message:
    "oauth2-proxy before 7.15.5 has critical authentication bypasses (GHSA-63jm-59jj-478j, GHSA-wr5q-7wxw-x568): use v7.15.5 or newer",
}).meta({
  description:
    "Overrides of the oauth2-proxy image, which must be 7.15.5 or newer. Example: {repository: registry.example.com/oauth2-proxy}.",
});

export type Image = z.infer<typeof image>;

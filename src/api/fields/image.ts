import { z } from "zod";
import { tooOldProxy } from "../proxy-version.ts";
import { type Rule, rules } from "./rule.ts";
import { objectName, text } from "./text.ts";

/** What makes up an image, whatever it is of. */
const parts = (defaultTag: string, ...furtherOfTag: Rule[]) =>
  z.strictObject({
    repository: text("Image without tag and digest. Default: the operator's setting.", 255, {
      rule: "self.matches('^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$')",
      message:
        "repository is an image name such as registry.example.com/team/mlflow, without tag (use tag) and digest (use digest)",
    }).optional(),
    tag: z
      .string()
      .max(128)
      .meta({
        description: `Tag. Default: ${defaultTag}.`,
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
        description: "Digest; it decides over the tag. Example: sha256:<64 hexadecimal digits>.",
        ...rules({
          rule: "self.matches('^sha256:[0-9a-f]{64}$')",
          message: "digest is sha256: and 64 hexadecimal digits in lower case",
        }),
      })
      .optional(),
    pullPolicy: z
      .enum(["Always", "IfNotPresent", "Never"])
      .meta({ description: "When the image is pulled. Default: IfNotPresent." })
      .optional(),
    pullSecrets: z
      .array(
        z
          .strictObject({ name: objectName("Name of a Secret in the namespace of the MlflowServer.") })
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
    "Overrides of the image. It must hold the MLflow of spec.version with its authentication extra and database drivers.",
});

/** Overrides of the image of oauth2-proxy. */
export const proxyImage = parts("the operator's setting", {
  rule: `!self.matches('${tooOldProxy}')`,
  message:
    "oauth2-proxy before 7.15.5 has critical authentication bypasses (GHSA-63jm-59jj-478j, GHSA-wr5q-7wxw-x568): use v7.15.5 or newer",
}).meta({ description: "Overrides of the image of oauth2-proxy, which must be 7.15.5 or newer." });

export type Image = z.infer<typeof image>;

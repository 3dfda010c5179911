import { z } from "zod";
import { forbiddenEnvironment } from "../environment.ts";
import { exactlyOneOf, type Rule, rules } from "./rule.ts";
import { dataKey, objectName, text } from "./text.ts";

const variableName = (description: string, maxLength: number, ...further: Rule[]) =>
  z
    .string()
    .max(maxLength)
    .meta({
      description,
      ...rules(
        {
          rule: "self.matches('^[A-Za-z_][A-Za-z0-9_]*$')",
          message: "must be a variable name: letters, digits and _, not beginning with a digit",
        },
        ...further,
      ),
    });

const keyOf = (kind: string) =>
  z.strictObject({
    name: objectName(`Name of the ${kind}.`),
    key: dataKey("Key in its data."),
    optional: z
      .boolean()
      .meta({
        description: `Whether the variable is left out if the ${kind} or the key does not exist. Default: false. Example: true.`,
      })
      .optional(),
  });

const podField = text("Field of the pod. Example: metadata.name.", 128, {
  rule: String.raw`self.matches('^(metadata[.](name|namespace|uid)|metadata[.](labels|annotations)\\[\'[^\']+\'\\]|spec[.](nodeName|serviceAccountName)|status[.](hostIP|hostIPs|podIP|podIPs))$')`,
  message:
    "fieldPath is metadata.name, .namespace, .uid, .labels['<key>'] or .annotations['<key>'], spec.nodeName or .serviceAccountName, status.hostIP, .hostIPs, .podIP or .podIPs",
});

/** One variable of the MLflow container. */
export const environmentVariable = z
  .strictObject({
    name: variableName("Name of the variable.", 128, forbiddenEnvironment()),
    value: z
      .string()
      .max(8192)
      .meta({
        description: "Value. For secrets use valueFrom. Example: http://proxy.example.com:3128.",
        ...rules({
          rule: String.raw`!self.contains('\x00')`,
          message: "a value cannot contain the NUL character: remove it",
        }),
      })
      .optional(),
    valueFrom: z
      .strictObject({
        secretKeyRef: keyOf("Secret").meta({ description: "A key of a Secret." }).optional(),
        configMapKeyRef: keyOf("ConfigMap").meta({ description: "A key of a ConfigMap." }).optional(),
        fieldRef: z.strictObject({ fieldPath: podField }).meta({ description: "A field of the pod." }).optional(),
      })
      .meta({
        description:
          "The source of the value. Exactly one of secretKeyRef, configMapKeyRef and fieldRef. A change of the content rolls the pods.",
        ...rules(exactlyOneOf(["secretKeyRef", "configMapKeyRef", "fieldRef"], "a variable has one source")),
      })
      .optional(),
  })
  .meta({
    description: "An environment variable.",
    ...rules(
      { rule: "!(has(self.value) && has(self.valueFrom))", message: "set value or valueFrom, not both" },
      {
        rule: "!has(self.value) || !self.value.contains('@') || !self.name.matches('(?i)^(https?|all)_proxy$')",
        reason: "FieldValueForbidden",
        message:
          "must contain no user and no password: put the URL of the proxy into a Secret, and use valueFrom.secretKeyRef",
        fieldPath: ".value",
      },
    ),
  });

const whole = (kind: string) =>
  z
    .strictObject({
      name: objectName(`Name of the ${kind}.`),
      optional: z
        .boolean()
        .meta({ description: `Whether a missing ${kind} is ignored. Default: false. Example: true.` })
        .optional(),
    })
    .meta({ description: `All keys of a ${kind}.` });

/** Variables of the MLflow container from all keys of an object. */
export const environmentSource = z
  .strictObject({
    prefix: variableName("Prefix of each key. Default: none. Example: TEAM_.", 64).optional(),
    secretRef: whole("Secret").optional(),
    configMapRef: whole("ConfigMap").optional(),
  })
  .meta({
    description: "Variables from all keys of a Secret or ConfigMap; a change of the content rolls the pods.",
    ...rules(exactlyOneOf(["secretRef", "configMapRef"], "write one entry of envFrom for each object")),
  });

export type EnvironmentVariable = z.infer<typeof environmentVariable>;
export type EnvironmentSource = z.infer<typeof environmentSource>;

import { z } from "zod";
import { supportedVersions, unsupportedVersions } from "../versions.ts";
import { requiredRemedy, rules } from "./rule.ts";

const [newest] = supportedVersions;
const remedy = `write one of ${supportedVersions.join(", ")}`;

/** CEL over the version: why it is not supported, and which one to write. */
const explanation = unsupportedVersions.reduceRight(
  (otherwise, { pattern, why, nearest }) =>
    `self.matches('${pattern}') ? 'MLflow ' + self + ' ${why}: write ${nearest}' : ${otherwise}`,
  `'the operator does not support MLflow ' + self + ': ${remedy}'`,
);

/** The version of MLflow. */
export const version = z
  .string()
  .max(32)
  .meta({
    description: `Version of MLflow: ${supportedVersions.join(", ")}. It is the default tag of the image and decides the database schema; it can be increased, not decreased. Example: "${newest}".`,
    ...requiredRemedy(`write the version of MLflow, such as version: "${newest}"`),
    ...rules({
      rule: `self in ${JSON.stringify(supportedVersions)}`,
      message: remedy,
      // The API server ignores a message with line breaks.
      messageExpression: `!self.matches('^[-+.0-9A-Za-z]*$') ? '${remedy}' : ${explanation}`,
    }),
  });

import { z } from "zod";
import { supportedVersions, unfitVersions } from "../versions.ts";
import { demanded, rules } from "./rule.ts";

const [newest] = supportedVersions;
const remedy = `write one of ${supportedVersions.join(", ")}`;

/** Why a version is not run, and which one to write, as CEL over the version. */
const refusal = unfitVersions.reduceRight(
  (otherwise, { pattern, why, nearest }) =>
    `self.matches('${pattern}') ? 'MLflow ' + self + ' ${why}: write ${nearest}' : ${otherwise}`,
  `'the operator does not run MLflow ' + self + ': ${remedy}'`,
);

/** The version of MLflow. */
export const version = z
  .string()
  .max(32)
  .meta({
    description: `Version of MLflow: ${supportedVersions.join(", ")}. It decides the image's default tag and the database schema; it can be raised, not lowered. Example: "${newest}".`,
    ...demanded(`write the version of MLflow that shall run, such as version: "${newest}"`),
    ...rules({
      rule: `self in ${JSON.stringify(supportedVersions)}`,
      message: remedy,
      // The API server shows no message of several lines.
      messageExpression: `!self.matches('^[-+.0-9A-Za-z]*$') ? '${remedy}' : ${refusal}`,
    }),
  });

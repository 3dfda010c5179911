import { longestServerName } from "../../kube/names.ts";
import { requiredRemedy } from "./rule.ts";
import { plainText } from "./text.ts";

/** The name of a namespace or of an MlflowServer: a DNS label. */
export function dnsLabel(description: string, maxLength: number, what: string, remedy: string) {
  return plainText(description, maxLength, {
    rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    message: `must be the name of ${what}: lower case letters, digits and -, with a letter or digit at both ends`,
  }).meta({ ...requiredRemedy(remedy) });
}

/** The name of an MlflowServer. */
export const serverName = dnsLabel(
  "Name of the MlflowServer.",
  longestServerName,
  "an MlflowServer",
  "write the name of the MlflowServer",
);

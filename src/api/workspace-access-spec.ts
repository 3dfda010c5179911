import { z } from "zod";
import { requiredRemedy } from "./fields/rule.ts";
import { dnsLabel, serverName } from "./fields/server-name.ts";
import { subjects } from "./fields/subjects.ts";
import { plainText } from "./fields/text.ts";
import { workspaceRole } from "./fields/workspace-grant.ts";

const serverRef = z
  .strictObject({
    namespace: dnsLabel("Namespace of the MlflowServer.", 63, "a namespace", "write the namespace of the MlflowServer"),
    name: serverName,
  })
  .meta({
    description: "The MlflowServer whose workspace this namespace is. Example: {namespace: mlflow, name: tracking}.",
    ...requiredRemedy("write the MlflowServer, such as serverRef: {namespace: mlflow, name: tracking}"),
  });

/** What a user writes under `spec` of a MlflowWorkspaceAccess. */
export const mlflowWorkspaceAccessSpec = z
  .strictObject({
    serverRef,
    role: workspaceRole,
    subjects,
    expiresAt: plainText(
      "Time at which the grant expires, in RFC 3339. MLflow caches permissions for up to a minute longer. Default: never. Example: 2027-01-31T18:00:00Z.",
      35,
      {
        rule: "self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$')",
        message: "must be a time in RFC 3339 such as 2027-01-31T18:00:00Z, with seconds and with Z or an offset",
      },
      {
        rule: "!self.matches('^[0-9]{4}-(02-3|(04|06|09|11)-31)')",
        message: "the day does not exist: must be a time such as 2027-01-31T18:00:00Z",
      },
    ).optional(),
  })
  .meta({
    description: "The grant: a role for subjects.",
    ...requiredRemedy("write spec with serverRef, role and subjects"),
  });

export type MlflowWorkspaceAccessSpec = z.infer<typeof mlflowWorkspaceAccessSpec>;

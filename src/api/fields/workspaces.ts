import { z } from "zod";
import { label } from "../../kube/names.ts";
import { mayBeEmpty } from "./rule.ts";
import { labelMap, plainText } from "./text.ts";
import { clientConfigMaps, workspaceGrants } from "./workspace-grant.ts";

const excludedNamespaces =
  "kube-.*|openshift(-.*)?|open-cluster-management(-.*)?|redhat-ods-.*|nvidia-gpu-operator|dedicated-admin";

/** Namespaces as workspaces. */
export const workspaces = z
  .strictObject({
    selector: z
      .strictObject({
        matchLabels: labelMap(
          `Labels that a namespace must have, in addition to ${label.workspaceOf}. Example: {team: research}.`,
          {
            rule: `!('${label.workspaceOf}' in self)`,
            message: `every workspace has the label ${label.workspaceOf} with this server's namespace as value: leave it out`,
          },
        ).optional(),
      })
      .meta({
        description:
          "Selects the workspaces of this server among the namespaces that opt in. Default: all of them. Example: {matchLabels: {team: research}}.",
        ...mayBeEmpty,
      })
      .optional(),
    default: plainText(
      "Workspace of requests without one. Default: none; such requests are rejected. Example: team-a.",
      63,
      {
        rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        message: "must be the name of a namespace, such as team-a",
      },
      {
        rule: `!self.matches('^(${excludedNamespaces})$')`,
        message: "MLflow's plugin excludes system namespaces, such as kube-system: write another",
      },
    ).optional(),
    access: workspaceGrants.optional(),
    clientConfigMaps: clientConfigMaps.optional(),
  })
  .meta({
    description: `Namespaces as workspaces of MLflow: those with the label ${label.workspaceOf}: <namespace of the server>, which only their administrators can set. Permissions on mlflow.kubeflow.org in a namespace decide about access to the workspace. It requires authorization by Kubernetes. Default: no workspaces; permissions in the server's namespace decide. Example: {}.`,
    ...mayBeEmpty,
  });

import { z } from "zod";
import { label } from "../../kube/names.ts";
import { mayBeEmpty } from "./rule.ts";
import { labelMap, text } from "./text.ts";
import { clientConfigMaps, workspaceGrants } from "./workspace-grant.ts";

const neverServed =
  "kube-.*|openshift(-.*)?|open-cluster-management(-.*)?|redhat-ods-.*|nvidia-gpu-operator|dedicated-admin";

/** Namespaces as workspaces. */
export const workspaces = z
  .strictObject({
    selector: z
      .strictObject({
        matchLabels: labelMap(
          "Labels that a namespace must have, besides the one by which it consents. Example: team: research.",
          {
            rule: `!('${label.workspaceOf}' in self)`,
            message: `every workspace has the label ${label.workspaceOf} with this server's namespace as value, and no other value counts: leave it out`,
          },
        ).optional(),
      })
      .meta({
        description: "Which of the namespaces that consent are workspaces of this server. Default: all of them.",
        ...mayBeEmpty,
      })
      .optional(),
    default: text(
      "The workspace of clients that name none. Default: they are refused. Example: team-a.",
      63,
      {
        rule: "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        message: "must be the name of a namespace, such as team-a",
      },
      {
        rule: `!self.matches('^(${neverServed})$')`,
        message: "MLflow's plugin never serves namespaces of the cluster itself, such as kube-system: name another",
      },
    ).optional(),
    access: workspaceGrants.optional(),
    clientConfigMaps: clientConfigMaps.optional(),
  })
  .meta({
    description: `Namespaces of the cluster are workspaces of MLflow: those with the label ${label.workspaceOf}: <namespace of the server>, which only their administrators can set. Who may do what in one is decided by the rights on mlflow.kubeflow.org in it. Default: no workspaces; the server's own namespace decides. It needs authentication.kubernetes. Example: workspaces: {}.`,
    ...mayBeEmpty,
  });

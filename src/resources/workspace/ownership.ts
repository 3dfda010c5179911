import type { ConfigMap, Owned, RoleBinding } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { objectNames } from "../../model/names.ts";

/** Whether an object in a workspace is managed by the operator: its name counts too, because labels can be copied. */
export function isWorkspaceObject(object: Owned): object is RoleBinding | ConfigMap {
  const { name, labels = {} } = object.metadata;
  const { [label.serverNamespace]: namespace, [label.server]: server } = labels;
  if (labels[label.managedBy] !== manager || namespace === undefined) return false;
  if (object.kind === "ConfigMap") return name === objectNames.client && labels[label.clientOf] !== undefined;
  return object.kind === "RoleBinding" && name.startsWith(`mlflow.${namespace}.${server}.`);
}

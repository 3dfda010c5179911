import type { MlflowServer } from "../api/server.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import type { Namespace } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { usesSubjectAccessReview } from "./authentication/kubernetes-authorization.ts";

/** Namespaces that the plugin never serves, whatever their labels: its own list, a star for any text. */
export const excludedNamespaces = [
  "dedicated-admin",
  "kube-*",
  "nvidia-gpu-operator",
  "open-cluster-management",
  "open-cluster-management-*",
  "openshift-*",
  "openshift",
  "redhat-ods-*",
] as const;

/** Whether the server needs a right in the whole cluster: for that a namespace must have said that it is its workspace. */
export function needsOptIn(spec: MlflowServerSpec): boolean {
  return spec.workspaces !== undefined || usesSubjectAccessReview(spec);
}

/** The labels by which a namespace is a workspace of the server: its consent, and what the spec narrows that to. */
export function workspaceLabels({ metadata, spec }: MlflowServer): Readonly<Record<string, string>> {
  return { ...spec.workspaces?.selector?.matchLabels, [label.workspaceOf]: metadata.namespace ?? "default" };
}

/**
 * Names of the namespaces that consent and that the server has as workspaces, sorted: those that MLflow serves, and no others.
 * Without `spec.workspaces` MLflow serves its own.
 */
export function workspacesOf(server: MlflowServer, namespaces: readonly Namespace[]): string[] {
  if (!needsOptIn(server.spec)) return [];
  const wanted = Object.entries(workspaceLabels(server));
  const isServed = (name: string) => server.spec.workspaces !== undefined || name === server.metadata.namespace;
  return namespaces
    .filter(({ metadata }) => wanted.every(([key, value]) => metadata.labels?.[key] === value))
    .map(({ metadata }) => metadata.name)
    .filter((name) => isServed(name) && !excludedNamespaces.some((pattern) => isLike(name, pattern)))
    .sort();
}

function isLike(name: string, pattern: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** Where the plugin finds the workspaces: the same labels, as a selector. */
export function workspaceStoreUri(server: MlflowServer): string {
  const query = new URLSearchParams({ label_selector: selectorText(server) });
  const { default: usual } = server.spec.workspaces ?? {};
  if (usual !== undefined) query.set("default_workspace", usual);
  return `kubernetes://?${query}`;
}

/** The labels as `kubectl -l` takes them. */
export function selectorText(server: MlflowServer): string {
  return Object.entries(workspaceLabels(server))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

import { choice } from "../api/choose.ts";
import type { MlflowServer } from "../api/server.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import type { Namespace } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";

/** Namespaces that the plugin never serves, regardless of their labels: the plugin's own list, with `*` as a wildcard. */
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

/** Whether the server needs cluster-wide permissions: for these at least one namespace must opt in as its workspace. */
export function needsOptIn(spec: MlflowServerSpec): boolean {
  return spec.workspaces !== undefined || usesSubjectAccessReview(spec);
}

/** Returns the labels of the server's workspaces: the opt-in label of the namespace, and the selector of the spec. */
export function workspaceLabels({ metadata, spec }: MlflowServer): Readonly<Record<string, string>> {
  return { ...spec.workspaces?.selector?.matchLabels, [label.workspaceOf]: metadata.namespace };
}

/**
 * Returns the sorted names of the namespaces that have opted in and that the server selects: exactly those that MLflow serves.
 * Without `spec.workspaces` MLflow serves its own namespace.
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

/** Returns the plugin's workspace store URI, with the same labels as a selector. */
export function workspaceStoreUri(server: MlflowServer): string {
  const query = new URLSearchParams({ label_selector: selectorText(server) });
  const { default: defaultWorkspace } = server.spec.workspaces ?? {};
  if (defaultWorkspace !== undefined) query.set("default_workspace", defaultWorkspace);
  return `kubernetes://?${query}`;
}

/** Returns the labels as a label selector, as for `kubectl -l`. */
export function selectorText(server: MlflowServer): string {
  return Object.entries(workspaceLabels(server))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

/** Whether Kubernetes RBAC authorizes callers, with or without oauth2-proxy. */
export function isAuthorizedByKubernetes({ authentication }: MlflowServerSpec): boolean {
  const { kubernetes, oauth2Proxy } = authentication;
  return kubernetes !== undefined || oauth2Proxy?.authorization.kubernetes !== undefined;
}

/** Whether MLflow creates SubjectAccessReviews for the verified identity, instead of SelfSubjectAccessReviews with the caller's token. */
export function usesSubjectAccessReview({ authentication }: MlflowServerSpec): boolean {
  const { kubernetes } = authentication.oauth2Proxy?.authorization ?? {};
  if (kubernetes === undefined) return false;
  const { accessReview = "SelfSubjectAccessReview" } = kubernetes;
  const path = "spec.authentication.oauth2Proxy.authorization.kubernetes.accessReview";
  return choice(accessReview, path, { SelfSubjectAccessReview: false, SubjectAccessReview: true });
}

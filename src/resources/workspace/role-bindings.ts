import type { RoleBinding, Subject } from "../../kube/manifests.ts";
import type { Key } from "../../kube/object.ts";
import { clusterRoleName } from "../../kube/workspace-roles.ts";
import { crossNamespaceMetadata } from "../../model/metadata.ts";
import { objectNames } from "../../model/names.ts";
import { type Grant, subjectKey } from "./grant.ts";

/** Returns one RoleBinding for each server and role, with unique, sorted subjects. */
export function roleBindings(namespace: string, grants: readonly Grant[]): RoleBinding[] {
  const byName = Map.groupBy(grants, ({ server, role }) => nameOf(server, role));
  return [...byName].flatMap(([name, all]) => {
    const [first] = all;
    if (first === undefined) return [];
    return {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: crossNamespaceMetadata(first.server, name, namespace),
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: clusterRoleName(first.role) },
      subjects: distinct(all.map(({ subject }) => subject)),
    } as const;
  });
}

/** Returns the name of the RoleBinding of a server and role. */
export function nameOf({ metadata }: { readonly metadata: Key }, role: Grant["role"]): string {
  return objectNames.roleBinding(metadata.namespace, metadata.name, role);
}

function distinct(subjects: readonly Subject[]): Subject[] {
  const byKey = new Map(subjects.map((subject) => [subjectKey(subject), subject]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, subject]) => subject);
}

import type { RoleBinding, Subject } from "../../kube/manifests.ts";
import { clusterRoleName } from "../../kube/workspace-roles.ts";
import { crossNamespaceMetadata } from "../metadata.ts";
import { objectNames } from "../names.ts";
import { type Grant, subjectKey } from "./grant.ts";

/** One RoleBinding for each server and role, with everybody who has it, each once and in order. */
export function roleBindings(namespace: string, grants: readonly Grant[]): RoleBinding[] {
  const alike = Map.groupBy(grants, ({ server, role }) => nameOf(server, role));
  return [...alike].flatMap(([name, all]) => {
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

/** The name of the binding of a role of a server, in any workspace. */
export function nameOf({ metadata }: Grant["server"], role: Grant["role"]): string {
  return objectNames.roleBinding(metadata.namespace ?? "default", metadata.name, role);
}

function distinct(subjects: readonly Subject[]): Subject[] {
  const byKey = new Map(subjects.map((subject) => [subjectKey(subject), subject]));
  return [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, subject]) => subject);
}

import type { MlflowServer } from "../api/server.ts";
import type { Kind } from "../kube/kinds.ts";
import type { KubeObject } from "../kube/object.ts";
import { objectNames } from "../model/names.ts";

/** Purposes by kind, for kinds of which a server has one object or that all have one purpose. */
const byKind: Partial<Record<Kind, string>> = {
  Deployment: "pods of MLflow, with oauth2-proxy where it is configured",
  Service: "address of the server in the cluster",
  ServiceAccount: "identity of the pods",
  NetworkPolicy: "allowed connections of the pods",
  PodDisruptionBudget: "keeps pods running while nodes are drained",
  HorizontalPodAutoscaler: "number of pods, by their CPU usage",
  PersistentVolumeClaim: "volume of the SQLite database and the artifacts",
  Job: "checks and migrates the database before the pods start",
  Ingress: "route from outside the cluster",
  HTTPRoute: "route from outside the cluster",
  Gateway: "waypoint of the mesh for this server",
  ClusterRoleBinding: "permission of the pods to list workspaces",
  RoleBinding: "role in a workspace, as granted",
  ConfigMap: "settings for MLflow clients in a workspace",
};

/** Purposes by the name of an object, where a kind has several. */
const byName: readonly (readonly [kind: Kind, name: (server: string) => string, purpose: string])[] = [
  ["Secret", objectNames.session, "generated keys for sessions and stored secrets"],
  ["Secret", objectNames.admin, "generated password of the first administrator"],
  ["Secret", objectNames.store, "URI of the database, from the referenced Secret"],
  ["Secret", objectNames.authConfig, "configuration of the authentication, with the URI of its database"],
  ["ConfigMap", objectNames.waypoint, "settings of the waypoint's pods"],
  ["AuthorizationPolicy", objectNames.tracesPolicy, "allows only spec.traces.writers to write traces"],
  ["AuthorizationPolicy", objectNames.allowFromWaypoint, "allows requests from the waypoint"],
  ["AuthorizationPolicy", objectNames.denyBypass, "denies requests that bypass the waypoint"],
  ["AuthorizationPolicy", objectNames.sidecarPolicy, "allows only spec.traces.writers to write traces, in the sidecar"],
  ["AuthorizationPolicy", objectNames.allowWriters, "allows spec.traces.writers to use the listener for traces"],
  ["AuthorizationPolicy", objectNames.denyNonWriters, "denies all others the listener for traces"],
  ["Deployment", objectNames.listener, "pods of the listener for traces"],
  ["Service", objectNames.listener, "address of the listener for traces"],
  ["ServiceAccount", objectNames.listener, "identity of the listener for traces"],
  ["NetworkPolicy", objectNames.listener, "allowed connections of the listener for traces"],
];

/** What an object of a server is for, in a few words. */
export function purposeOf({ kind, metadata: { name } }: KubeObject, { metadata: server }: MlflowServer): string {
  if (name === objectNames.reviewerBinding(server.namespace ?? "default", server.name))
    return "permission of the pods to review access of users";
  const named = byName.find(([ofKind, nameOf]) => ofKind === kind && nameOf(server.name) === name);
  return named?.[2] ?? Object.entries(byKind).find(([of]) => of === kind)?.[1] ?? "";
}

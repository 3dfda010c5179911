import { apiVersion, type MlflowServer } from "../api/server.ts";
import { label, manager } from "../kube/names.ts";
import type { ObjectMeta } from "../kube/object.ts";

/** The server that an object belongs to. */
export type Owner = Pick<MlflowServer, "metadata">;

/** The component of a server that an object belongs to. */
export type Component =
  | "server"
  | "artifacts"
  | "migration"
  | "preflight"
  | "waypoint"
  | "traces"
  | "garbage-collection"
  | "backup"
  | "restore"
  | "rotation";

/**
 * Returns the labels of all managed objects. They do not include `app.kubernetes.io/instance`: Argo CD treats objects with this
 * label as parts of the application, and would prune objects that are retained after the server.
 */
export function labels(server: Owner, component: Component = "server"): Record<string, string> {
  return {
    [label.application]: "mlflow",
    [label.managedBy]: manager,
    [label.component]: component,
    [label.server]: server.metadata.name,
  };
}

/** Returns the labels that select the pods of a component. They never change, because a Deployment's selector is immutable. */
export function podSelector(server: Owner, component: Component = "server"): Record<string, string> {
  return { [label.server]: server.metadata.name, [label.component]: component };
}

/** Returns the metadata of an object that the garbage collector deletes with the server. */
export function ownedMetadata(server: Owner, name: string, component: Component = "server"): ObjectMeta {
  const ownerReference = {
    apiVersion,
    kind: "MlflowServer",
    name: server.metadata.name,
    uid: server.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
  return { ...retainedMetadata(server, name, component), ownerReferences: [ownerReference] };
}

/** Returns the metadata of an object that is retained after the server; a server with the same name reuses it by its labels. */
export function retainedMetadata(server: Owner, name: string, component: Component = "server"): ObjectMeta {
  return { name, namespace: server.metadata.namespace, labels: labels(server, component) };
}

/**
 * Returns the metadata of an object outside the server's namespace, cluster-scoped by default. Owner references do not work
 * across namespaces: labels name the server, and the server's finalizer is removed after the object.
 */
export function crossNamespaceMetadata(server: Owner, name: string, namespace?: string): ObjectMeta {
  const own = { ...labels(server), [label.serverNamespace]: server.metadata.namespace };
  return { name, ...(namespace !== undefined && { namespace }), labels: own };
}

/** Returns the metadata of generated Secrets and volumes: `spec.deletionPolicy` decides whether they are retained. */
export function storedMetadata(
  { owner, isRetained }: { readonly owner: Owner; readonly isRetained: boolean },
  name: string,
): ObjectMeta {
  return isRetained ? retainedMetadata(owner, name) : ownedMetadata(owner, name);
}

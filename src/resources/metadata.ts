import { apiVersion, type MlflowServer } from "../api/server.ts";
import { label, manager } from "../kube/names.ts";
import type { ObjectMeta } from "../kube/object.ts";
import { choice } from "./choose.ts";

/** Which part of a server an object belongs to. */
export type Component = "server" | "migration" | "waypoint" | "traces";

/**
 * Labels of all that we write. `app.kubernetes.io/instance` is left out on purpose: Argo CD takes objects that carry it
 * for parts of the application of that name, and would prune what outlives the server.
 */
export function labels(server: MlflowServer, component: Component = "server"): Record<string, string> {
  return {
    [label.application]: "mlflow",
    [label.managedBy]: manager,
    [label.component]: component,
    [label.server]: server.metadata.name,
  };
}

/** The labels that select the pods that serve, or those of another part. They never change, since a Deployment's selector cannot. */
export function podSelector(server: MlflowServer, component: Component = "server"): Record<string, string> {
  return { [label.server]: server.metadata.name, [label.component]: component };
}

/** Metadata of an object that goes with the server: the garbage collector removes it by the owner reference. */
export function ownedMetadata(server: MlflowServer, name: string, component: Component = "server"): ObjectMeta {
  return { ...retainedMetadata(server, name, component), ownerReferences: [ownerReference(server)] };
}

/** Metadata of an object that outlives the server; a server of the same name finds it again by our labels. */
export function retainedMetadata(server: MlflowServer, name: string, component: Component = "server"): ObjectMeta {
  return { name, namespace: server.metadata.namespace ?? "default", labels: labels(server, component) };
}

/**
 * Metadata of an object outside of the server's namespace, by default of one in none. The garbage collector knows no owner
 * there: the labels say whose it is, and the server's finalizer stays until it is gone.
 */
export function crossNamespaceMetadata(server: MlflowServer, name: string, namespace?: string): ObjectMeta {
  const own = { ...labels(server), [label.serverNamespace]: server.metadata.namespace ?? "default" };
  return { name, ...(namespace !== undefined && { namespace }), labels: own };
}

/** Metadata of what was generated or stored: `spec.deletionPolicy` decides whether it outlives the server. */
export function storedMetadata(server: MlflowServer, name: string): ObjectMeta {
  const { deletionPolicy = "Retain" } = server.spec;
  const metadata = choice(deletionPolicy, "spec.deletionPolicy", { Retain: retainedMetadata, Delete: ownedMetadata });
  return metadata(server, name);
}

function ownerReference(server: MlflowServer) {
  return {
    apiVersion,
    kind: "MlflowServer",
    name: server.metadata.name,
    uid: server.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

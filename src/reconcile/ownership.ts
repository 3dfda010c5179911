import { apiVersion, type MlflowServer } from "../api/server.ts";
import type { Owned } from "../kube/manifests.ts";
import { label, manager } from "../kube/names.ts";
import { isControlledBy, objectText } from "../kube/object.ts";
import { objectNames } from "../model/names.ts";
import type { Cause } from "./cause.ts";

/**
 * The ownership of an object with a name that a server needs:
 * - `owned`: the operator can change and delete it;
 * - `terminating`: it belonged to a deleted server of the same name, and the garbage collector will delete it;
 * - `unmanaged`: it belongs to another owner, and is never adopted or deleted.
 */
export type Ownership = "owned" | "terminating" | "unmanaged";

/** Whether an object is in another namespace than the server or cluster-scoped, so that it cannot have an owner reference to it. */
export function isCrossNamespace(object: Pick<Owned, "metadata">, server: Pick<MlflowServer, "metadata">): boolean {
  return object.metadata.namespace !== server.metadata.namespace;
}

/** Ownership by an owner reference with the server's uid, or by labels for objects that outlive servers or are outside its namespace. */
export function ownershipOf(object: Owned, server: MlflowServer): Ownership {
  if (isCrossNamespace(object, server)) {
    if (!hasServerLabels(object, server)) return "unmanaged";
    return object.metadata.deletionTimestamp === undefined ? "owned" : "terminating";
  }
  if (isControlledBy(object, server)) return object.metadata.deletionTimestamp === undefined ? "owned" : "terminating";
  const controller = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (controller === undefined) {
    const isKnown = (isStored(object, server) && isLabelled(object, server)) || isOrphan(object, server);
    return isKnown ? "owned" : "unmanaged";
  }
  const isFormer = controller.apiVersion === apiVersion && controller.kind === "MlflowServer";
  return isFormer && controller.name === server.metadata.name ? "terminating" : "unmanaged";
}

/** Field managers of orphaned objects: the operator and the garbage collector. Controllers write only to status. */
const writersOfOrphans: readonly (string | undefined)[] = [manager, "kube-controller-manager"];

/**
 * Whether a previous server of the same name left an object when it was deleted with `--cascade=orphan`: older than this server, with both
 * labels, without an owner, and written only by the operator. An object that another client created or changed is never adopted.
 */
function isOrphan({ metadata }: Owned, server: MlflowServer): boolean {
  const { labels = {}, ownerReferences = [], managedFields = [], creationTimestamp = "" } = metadata;
  const created = server.metadata.creationTimestamp;
  return (
    ownerReferences.length === 0 &&
    labels[label.managedBy] === manager &&
    labels[label.server] === server.metadata.name &&
    created !== undefined &&
    Date.parse(creationTimestamp) < Date.parse(created) &&
    managedFields.some((entry) => entry.manager === manager) &&
    managedFields.every((entry) => entry.subresource !== undefined || writersOfOrphans.includes(entry.manager))
  );
}

/** Why an object with a needed name cannot be applied. */
export interface NamingConflict extends Cause {
  /** The conflicting object is being deleted. */
  readonly isTerminating: boolean;
}

/** The conflict of an object with a server that needs its name, or undefined if the server owns it. */
export function namingConflictOf(object: Owned, server: MlflowServer): NamingConflict | undefined {
  const { namespace } = object.metadata;
  const place = namespace === undefined ? objectText(object) : `${objectText(object)} in namespace ${namespace}`;
  switch (ownershipOf(object, server)) {
    case "owned":
      return undefined;
    case "terminating":
      return { isTerminating: true, reason: "Progressing", message: `Waiting until the previous ${place} is deleted` };
    case "unmanaged":
      return {
        isTerminating: false,
        reason: "NameConflict",
        message: `${place} exists and ${ownerText(object)}, so the operator applies nothing for this server: ${remedyFor(object)}${hintFor(object, server)}`,
      };
  }
}

/** The fixes for a conflict with an object of another server, and with any other object. */
export const serverConflictRemedy = "the names of the two servers conflict. Recreate one of them with another name";
export const objectConflictRemedy = "rename one of the two, or delete the existing object if it is not needed";

/** The fix. The names of two servers conflict if one has the name of the other's waypoint, for example. */
function remedyFor(object: Owned): string {
  const isOfServer = ownerOf(object)?.kind === "MlflowServer" || waypointOwner(object) !== undefined;
  return isOfServer ? `${serverConflictRemedy}, or delete one` : objectConflictRemedy;
}

/** How to adopt a generated Secret or a volume, which are recognized only by their label. */
function hintFor(object: Owned, server: MlflowServer): string {
  if (!isStored(object, server)) return "";
  return `; to reuse it for this server, label it ${label.server}=${server.metadata.name}`;
}

function ownerText(object: Owned): string {
  const [owner, server] = [ownerOf(object), waypointOwner(object)];
  if (owner === undefined) return "does not belong to this server";
  return `belongs to ${owner.kind}/${owner.name}${server === undefined ? "" : `, the waypoint of MlflowServer/${server}`}`;
}

function ownerOf({ metadata }: Owned) {
  return metadata.ownerReferences?.[0];
}

/** The server of the waypoint for which Istio has created an object. */
function waypointOwner(object: Owned): string | undefined {
  return ownerOf(object)?.kind === "Gateway" ? object.metadata.labels?.[label.waypoint] : undefined;
}

/** Whether an object is one that `spec.deletionPolicy` may keep: a generated Secret or the volume. Never pruned. */
export function isStored(object: Owned, server: MlflowServer): boolean {
  const { name } = server.metadata;
  if (object.kind === "PersistentVolumeClaim") return object.metadata.name === objectNames.volumeClaim(name);
  const stored = [objectNames.session(name), objectNames.admin(name)];
  return object.kind === "Secret" && stored.includes(object.metadata.name);
}

/** Whether both labels, which together identify a server in the cluster, are those of the server. */
function hasServerLabels({ metadata }: Owned, server: MlflowServer): boolean {
  const { [label.server]: name, [label.serverNamespace]: namespace } = metadata.labels ?? {};
  return name === server.metadata.name && namespace === server.metadata.namespace;
}

/** Whether an object has one of the two labels. A removed one is restored. */
function isLabelled(object: Owned, server: MlflowServer): boolean {
  const labels = object.metadata.labels ?? {};
  return labels[label.managedBy] === manager || labels[label.server] === server.metadata.name;
}

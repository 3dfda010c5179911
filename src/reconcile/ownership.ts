import { apiVersion, type MlflowServer } from "../api/server.ts";
import type { Owned } from "../kube/manifests.ts";
import { label, manager } from "../kube/names.ts";
import { isControlledBy, objectText } from "../kube/object.ts";
import { objectNames } from "../resources/names.ts";
import type { Cause } from "./finding.ts";

/**
 * Whose an object is that has a name which a server wants:
 * - `ours`: we may write and delete it;
 * - `leaving`: it belonged to a deleted server of the same name, and the garbage collector is about to remove it;
 * - `foreign`: somebody else's: never adopted, never deleted.
 */
export type Ownership = "ours" | "leaving" | "foreign";

/** Whether an object is where no owner reference to the server can reach: in another namespace, or in none. */
export function isCrossNamespace(object: Pick<Owned, "metadata">, server: Pick<MlflowServer, "metadata">): boolean {
  return object.metadata.namespace !== (server.metadata.namespace ?? "default");
}

/** An owner reference with our uid proves it; what outlives servers has none and is known by its labels, as is what is far. */
export function ownershipOf(object: Owned, server: MlflowServer): Ownership {
  if (isCrossNamespace(object, server)) {
    if (!namesServer(object, server)) return "foreign";
    return object.metadata.deletionTimestamp === undefined ? "ours" : "leaving";
  }
  if (isControlledBy(object, server)) return object.metadata.deletionTimestamp === undefined ? "ours" : "leaving";
  const controller = object.metadata.ownerReferences?.find((reference) => reference.controller === true);
  if (controller === undefined) {
    const isKnown = (isStored(object, server) && isLabelled(object, server)) || isOrphan(object, server);
    return isKnown ? "ours" : "foreign";
  }
  const isFormer = controller.apiVersion === apiVersion && controller.kind === "MlflowServer";
  return isFormer && controller.name === server.metadata.name ? "leaving" : "foreign";
}

/** Besides us, the garbage collector writes to what it leaves behind, and controllers to status. */
const writersOfOrphans: readonly (string | undefined)[] = [manager, "kube-controller-manager"];

/**
 * What a former server of the same name left behind when it was deleted with `--cascade=orphan`: older than this server, with both
 * labels, without any owner, and written by nobody but us. An object that another client made, or changed, is never adopted.
 */
function isOrphan({ metadata }: Owned, server: MlflowServer): boolean {
  const { labels = {}, ownerReferences = [], managedFields = [], creationTimestamp = "" } = metadata;
  const born = server.metadata.creationTimestamp;
  return (
    ownerReferences.length === 0 &&
    labels[label.managedBy] === manager &&
    labels[label.server] === server.metadata.name &&
    born !== undefined &&
    Date.parse(creationTimestamp) < Date.parse(born) &&
    managedFields.some((entry) => entry.manager === manager) &&
    managedFields.every((entry) => entry.subresource !== undefined || writersOfOrphans.includes(entry.manager))
  );
}

/** Why an object that has a name which we want cannot be written. */
export interface Obstacle extends Cause {
  /** It is about to go by itself. */
  readonly passing: boolean;
}

/** The obstacle that an object is to a server that wants its name, or undefined where it is ours. */
export function obstacleIn(object: Owned, server: MlflowServer): Obstacle | undefined {
  const { namespace } = object.metadata;
  const place = namespace === undefined ? objectText(object) : `${objectText(object)} in namespace ${namespace}`;
  switch (ownershipOf(object, server)) {
    case "ours":
      return undefined;
    case "leaving":
      return { passing: true, reason: "Progressing", message: `waiting until the former ${place} is deleted` };
    case "foreign":
      return {
        passing: false,
        reason: "NameConflict",
        message: `${place} exists and ${ownerText(object)}, so the operator applies nothing for this server: ${remedyFor(object)}${hintFor(object, server)}`,
      };
  }
}

/** What to do where an object of another server has the name, and where one of anybody else's has. */
export const serverConflictRemedy = "the names of the two servers conflict. Recreate one of them with another name";
export const objectConflictRemedy = "rename one of the two, or delete the existing object if it is not needed";

/** Two servers whose names get in each other's way, as those of a server in a mesh and of one that is called like its waypoint. */
function remedyFor(object: Owned): string {
  const isOfServer = ownerOf(object)?.kind === "MlflowServer" || waypointOwner(object) !== undefined;
  return isOfServer ? `${serverConflictRemedy}, or delete one` : objectConflictRemedy;
}

/** What was generated or stored is known by its label alone, which its owner may have taken off, or may put on. */
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

/** The server for whose waypoint Istio has made an object. */
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

/** Both labels together name one server of the cluster. */
function namesServer({ metadata }: Owned, server: MlflowServer): boolean {
  const { [label.server]: name, [label.serverNamespace]: namespace } = metadata.labels ?? {};
  return name === server.metadata.name && namespace === (server.metadata.namespace ?? "default");
}

/** One of the two is enough: the other may have been lost, and is then restored. */
function isLabelled(object: Owned, server: MlflowServer): boolean {
  const labels = object.metadata.labels ?? {};
  return labels[label.managedBy] === manager || labels[label.server] === server.metadata.name;
}

import type { MlflowBackup } from "../../api/backup.ts";
import type { MlflowServer } from "../../api/server.ts";
import { type NamespacedMeta, objectText } from "../../kube/object.ts";
import { objectNames } from "../../model/names.ts";
import { backupReferences } from "../../resources/backup-destination.ts";
import type { Cause } from "../cause.ts";
import type { Cluster } from "../cluster.ts";
import type { ObservedState } from "../observed-state.ts";
import { missingReferences } from "./missing-references.ts";

/** What names a destination of backups: an MlflowBackup or an MlflowBackupSchedule. */
interface WithDestination {
  readonly kind: string;
  readonly metadata: NamespacedMeta;
  readonly spec: Pick<MlflowBackup["spec"], "destination">;
}

const noBackup = "no backup is written";

/** The causes because of which no backup can be written to a destination, or read from it. */
export async function backupPrerequisites(
  cluster: Pick<Cluster, "secret" | "configMap" | "serversIn" | "owned">,
  object: WithDestination,
  effect = noBackup,
): Promise<Cause[]> {
  const ofServer = serverVolume(cluster, object, effect);
  if (ofServer !== undefined) return [ofServer];
  return missingReferences(cluster, object, backupReferences(object), effect);
}

/** The cause if a backup cannot contain the database of the server. */
export function unsupportedDatabase({ server, model, references }: ObservedState): Cause | undefined {
  if (model.database.hasBackups(references)) return undefined;
  const message = `The database of ${objectText(server)} is SQL Server, which an MlflowBackup cannot contain, so ${noBackup}. Use the backups of the database server, and delete this MlflowBackup.`;
  return { reason: "BackupUnsupported", message };
}

/**
 * The cause if the destination is the data volume of a server. A backup there would be lost with the data, its Job could overwrite the data, and
 * a restore would find a volume that is not empty. The names of servers are reserved for their volumes, which can be created later or be those
 * of a deleted server.
 */
export function serverVolume(
  cluster: Pick<Cluster, "serversIn" | "owned">,
  { kind, metadata: { namespace }, spec: { destination } }: WithDestination,
  effect = noBackup,
): Cause | undefined {
  const claim = destination.persistentVolumeClaim?.claimName;
  if (claim === undefined) return undefined;
  const server = cluster.serversIn(namespace).find((each) => hasData(each, claim));
  const isRetained = cluster
    .owned({ namespace, name: claim })
    .some((each) => each.kind === "PersistentVolumeClaim" && each.metadata.name === objectNames.volumeClaim(claim));
  if (server === undefined && !isRetained) return undefined;
  const message = `spec.destination names PersistentVolumeClaim/${claim}, which is the data volume of MlflowServer/${server?.metadata.name ?? claim}, so ${effect}: both would be lost together. Create an ${kind} with another claim or a bucket.`;
  return { reason: "BackupDestinationIsServerVolume", message };
}

function hasData({ metadata: { name }, spec }: MlflowServer, claim: string): boolean {
  return claim === objectNames.volumeClaim(name) || claim === spec.artifactStore?.persistentVolume?.existingClaim;
}

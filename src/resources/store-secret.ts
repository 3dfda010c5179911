import { backendDatabase } from "../features/database/index.ts";
import type { Secret } from "../kube/manifests.ts";
import type { Inputs } from "../model/inputs.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { secret } from "./secret.ts";

/** Returns the Secret with the database URI and its password. Undefined for a URI without a password, and if the spec references a Secret with a URI. */
export function storeSecret(inputs: Inputs): Secret | undefined {
  const { server, references } = inputs;
  const database = backendDatabase(server.spec);
  const uri = database.uri(references);
  const replicaUri = database.replicaUri?.(references);
  if (!database.isUriGenerated || uri === undefined) return undefined;
  return secret(ownedMetadata(server, objectNames.store(server.metadata.name)), {
    [dataKeys.backendStoreUri]: uri,
    ...(replicaUri !== undefined && { [dataKeys.readReplicaUri]: replicaUri }),
  });
}

import type { Secret } from "../kube/manifests.ts";
import type { Inputs } from "../model/inputs.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { trackingUri } from "./database.ts";
import { secret } from "./secret.ts";

/** Returns the Secret with the database URI and its password. Undefined for SQLite, and if the spec references a Secret with a URI. */
export function storeSecret(inputs: Inputs): Secret | undefined {
  const { server } = inputs;
  const uri = trackingUri(inputs);
  if (server.spec.backendStore.postgresql === undefined || uri === undefined) return undefined;
  return secret(ownedMetadata(server, objectNames.store(server.metadata.name)), { [dataKeys.backendStoreUri]: uri });
}

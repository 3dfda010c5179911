import type { Secret } from "../kube/manifests.ts";
import { trackingUri } from "./database.ts";
import type { Inputs } from "./inputs.ts";
import { ownedMetadata } from "./metadata.ts";
import { dataKeys, objectNames } from "./names.ts";
import { secret } from "./secret.ts";

/** The database URI with its password, so that it stands in no pod spec. SQLite has none, and a user's Secret is used as it is. */
export function storeSecret(inputs: Inputs): Secret | undefined {
  const { server } = inputs;
  const uri = trackingUri(inputs);
  if (server.spec.backendStore.postgresql === undefined || uri === undefined) return undefined;
  return secret(ownedMetadata(server, objectNames.store(server.metadata.name)), { [dataKeys.backendStoreUri]: uri });
}

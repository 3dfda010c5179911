import type { ServerModel } from "../features/server-model.ts";
import type { Secret } from "../kube/manifests.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { secret } from "./secret.ts";

/** Returns the Secret with the database URI and its password. Undefined for a URI without a password, and if the spec references a Secret with a URI. */
export function storeSecret({ owner, names, storeValues }: ServerModel): Secret | undefined {
  return storeValues && secret(ownedMetadata(owner, names.store), storeValues);
}

/** Returns the Secret with the authentication configuration, which can contain a database URI with a password. */
export function authSecret({ owner, names, authentication: { files } }: ServerModel): Secret | undefined {
  return Object.keys(files).length === 0 ? undefined : secret(ownedMetadata(owner, names.authConfig), files);
}

import type { ServerModel } from "../features/server-model.ts";
import { encoded } from "../kube/data.ts";
import type { Secret } from "../kube/manifests.ts";
import type { ObjectMeta } from "../kube/object.ts";
import { ownedMetadata, storedMetadata } from "../model/metadata.ts";
import { dataKeys } from "../model/names.ts";

/** Returns a Secret with these values. */
function secret(metadata: ObjectMeta, values: Readonly<Record<string, string>>, type = "Opaque"): Secret {
  return { apiVersion: "v1", kind: "Secret", metadata, type, data: encoded(values) };
}

/** Returns the Secret with the keys that all replicas share: if it is lost, all sessions end and encrypted values are lost. */
export function sessionSecret(model: ServerModel): Secret | undefined {
  const { isGenerated, keys } = model.session;
  if (!isGenerated) return undefined;
  return secret(storedMetadata(model, model.names.session), {
    [dataKeys.flaskSecretKey]: keys.flaskSecretKey,
    [dataKeys.kekPassphrase]: keys.kekPassphrase,
    [dataKeys.webhookKey]: keys.webhookKey,
    ...(keys.cookieSecret !== undefined && { [dataKeys.cookieSecret]: keys.cookieSecret }),
  });
}

/** Returns the Secret with the generated name and password of the first administrator; undefined if the spec references a Secret. */
export function adminSecret(model: ServerModel): Secret | undefined {
  const { generatedAdmin } = model;
  if (generatedAdmin === undefined) return undefined;
  const values = { [dataKeys.username]: generatedAdmin.username, [dataKeys.password]: generatedAdmin.password };
  return secret(storedMetadata(model, model.names.admin), values, "kubernetes.io/basic-auth");
}

/** Returns the Secret with the database URI and its password. Undefined for a URI without a password, and if the spec references a Secret with a URI. */
export function storeSecret({ owner, names, storeValues }: ServerModel): Secret | undefined {
  return storeValues && secret(ownedMetadata(owner, names.store), storeValues);
}

/** Returns the Secret with the authentication configuration, which can contain a database URI with a password. */
export function authSecret({ owner, names, authentication: { files } }: ServerModel): Secret | undefined {
  return Object.keys(files).length === 0 ? undefined : secret(ownedMetadata(owner, names.authConfig), files);
}

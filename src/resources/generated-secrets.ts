import type { ServerModel } from "../features/server-model.ts";
import type { Secret } from "../kube/manifests.ts";
import { storedMetadata } from "../model/metadata.ts";
import { dataKeys } from "../model/names.ts";
import { secret } from "./secret.ts";

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

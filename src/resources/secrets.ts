import type { ServerModel } from "../features/server-model.ts";
import { encoded, known } from "../kube/data.ts";
import type { Secret } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";
import type { ObjectMeta } from "../kube/object.ts";
import { ownedMetadata, storedMetadata } from "../model/metadata.ts";
import { dataKeys } from "../model/names.ts";
import { type Rotations, rotationsText } from "../model/rotation.ts";

/** Returns a Secret with these values. */
function secret(metadata: ObjectMeta, values: Readonly<Record<string, string>>, type = "Opaque"): Secret {
  return { apiVersion: "v1", kind: "Secret", metadata, type, data: encoded(values) };
}

/** Returns the Secret with the keys that all replicas share: if it is lost, all sessions end and encrypted values are lost. */
export function sessionSecret(model: ServerModel): Secret | undefined {
  const { isGenerated, keys } = model.session;
  if (!isGenerated) return undefined;
  const { accepted = {}, rotations } = keys;
  const metadata = storedMetadata(model, model.names.session);
  return secret(withRotations(metadata, rotations), {
    [dataKeys.flaskSecretKey]: keys.flaskSecretKey,
    [dataKeys.kekPassphrase]: keys.kekPassphrase,
    [dataKeys.webhookKey]: keys.webhookKey,
    ...known({
      [dataKeys.cookieSecret]: keys.cookieSecret,
      [dataKeys.kekVersion]: keys.kekVersion,
      [dataKeys.hashKey]: keys.hashKey,
      [dataKeys.acceptedFlaskSecretKey]: accepted.flaskSecretKey,
      [dataKeys.acceptedKekPassphrase]: accepted.kekPassphrase,
      [dataKeys.acceptedKekVersion]: accepted.kekVersion,
      [dataKeys.acceptedWebhookKey]: accepted.webhookKey,
    }),
  });
}

/** The metadata with the record of rotations, which one write changes together with the values. */
function withRotations(metadata: ObjectMeta, rotations: Rotations | undefined): ObjectMeta {
  const text = rotationsText(rotations);
  return text === undefined ? metadata : { ...metadata, annotations: { [annotation.rotations]: text } };
}

/** Returns the Secret with the generated name and password of the first administrator; undefined if the spec references a Secret. */
export function adminSecret(model: ServerModel): Secret | undefined {
  const { generatedAdmin } = model;
  if (generatedAdmin === undefined) return undefined;
  const { username, password, nextPassword, rotations } = generatedAdmin;
  const values = { [dataKeys.username]: username, [dataKeys.password]: password };
  const metadata = withRotations(storedMetadata(model, model.names.admin), rotations);
  return secret(
    metadata,
    { ...values, ...known({ [dataKeys.nextPassword]: nextPassword }) },
    "kubernetes.io/basic-auth",
  );
}

/** Returns the Secret with the database URI and its password. Undefined for a URI without a password, and if the spec references a Secret with a URI. */
export function storeSecret({ owner, names, storeValues }: ServerModel): Secret | undefined {
  return storeValues && secret(ownedMetadata(owner, names.store), storeValues);
}

/** Returns the Secret with the authentication configuration, which can contain a database URI with a password. */
export function authSecret({ owner, names, authentication: { files } }: ServerModel): Secret | undefined {
  return Object.keys(files).length === 0 ? undefined : secret(ownedMetadata(owner, names.authConfig), files);
}

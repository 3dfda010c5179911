import type { MlflowServer } from "../api/server.ts";
import { authenticationMethod } from "../features/authentication/index.ts";
import { decoded, known } from "../kube/data.ts";
import type { Secret } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";
import type { AcceptedKeys, SessionKeys } from "../model/inputs.ts";
import { dataKeys } from "../model/names.ts";
import { rotationsIn } from "../model/rotation.ts";
import { cookieSecret, fernetKey, randomKey } from "./generated-keys.ts";

/** The keys of a server as its Secret has them. Those that it lacks are generated, unless the Secret is the user's. */
export function sessionKeys(server: MlflowServer, stored: Secret | undefined): SessionKeys {
  const isGenerated = server.spec.server?.sessionSecretRef === undefined;
  const needsCookieSecret = authenticationMethod(server.spec).sessionKeys.includes(dataKeys.cookieSecret);
  const value = (key: string) => decoded(stored?.data, key);
  const ofCookies = value(dataKeys.cookieSecret) ?? (needsCookieSecret ? cookieSecret() : undefined);
  const { hashKey, kekVersion = isGenerated ? "1" : undefined, ...optional } = optionalKeys(stored?.data);
  const rotations = isGenerated ? rotationsIn(stored?.metadata.annotations?.[annotation.rotations]) : {};
  return {
    flaskSecretKey: value(dataKeys.flaskSecretKey) ?? randomKey(),
    kekPassphrase: value(dataKeys.kekPassphrase) ?? randomKey(),
    webhookKey: value(dataKeys.webhookKey) ?? fernetKey(),
    ...(ofCookies !== undefined && { cookieSecret: ofCookies }),
    ...optional,
    ...(kekVersion !== undefined && { kekVersion }),
    // A user would have to keep a hash key as well.
    ...(isGenerated && { hashKey: hashKey ?? randomKey() }),
    ...(Object.keys(rotations).length > 0 && { rotations }),
  };
}

/** Returns the values that the Secret has only if its keys have been rotated, and the key of hashes. */
export function optionalKeys(data: Secret["data"]): Pick<SessionKeys, "kekVersion" | "hashKey" | "accepted"> {
  const value = (key: string) => decoded(data, key);
  const accepted = acceptedKeys(value);
  return {
    ...known({ kekVersion: value(dataKeys.kekVersion), hashKey: value(dataKeys.hashKey) }),
    ...(Object.keys(accepted).length > 0 && { accepted }),
  };
}

/** Returns the keys that pods accept besides the current ones. */
function acceptedKeys(value: (key: string) => string | undefined): AcceptedKeys {
  return known({
    flaskSecretKey: value(dataKeys.acceptedFlaskSecretKey),
    kekPassphrase: value(dataKeys.acceptedKekPassphrase),
    kekVersion: value(dataKeys.acceptedKekVersion),
    webhookKey: value(dataKeys.acceptedWebhookKey),
  });
}

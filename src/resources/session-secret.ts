import type { Secret } from "../kube/manifests.ts";
import type { Inputs } from "../model/inputs.ts";
import { storedMetadata } from "../model/metadata.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { secret } from "./secret.ts";

/** Returns the Secret with the keys that all replicas share: if it is lost, all sessions end and encrypted values are lost. */
export function sessionSecret({ server, session }: Inputs): Secret | undefined {
  if (server.spec.server?.sessionSecretRef !== undefined) return undefined;
  return secret(storedMetadata(server, objectNames.session(server.metadata.name)), {
    [dataKeys.flaskSecretKey]: session.flaskSecretKey,
    [dataKeys.kekPassphrase]: session.kekPassphrase,
    [dataKeys.webhookKey]: session.webhookKey,
    ...(session.cookieSecret !== undefined && { [dataKeys.cookieSecret]: session.cookieSecret }),
  });
}

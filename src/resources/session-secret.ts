import type { Secret } from "../kube/manifests.ts";
import type { Inputs } from "./inputs.ts";
import { storedMetadata } from "./metadata.ts";
import { dataKeys, objectNames } from "./names.ts";
import { secret } from "./secret.ts";

/** Keys that all replicas and all later pods must share: losing them logs everyone out and loses what they encrypted. */
export function sessionSecret({ server, session }: Inputs): Secret | undefined {
  if (server.spec.server?.sessionSecretRef !== undefined) return undefined;
  return secret(storedMetadata(server, objectNames.session(server.metadata.name)), {
    [dataKeys.flaskSecretKey]: session.flaskSecretKey,
    [dataKeys.kekPassphrase]: session.kekPassphrase,
    [dataKeys.webhookKey]: session.webhookKey,
    ...(session.cookieSecret !== undefined && { [dataKeys.cookieSecret]: session.cookieSecret }),
  });
}

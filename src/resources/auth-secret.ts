import type { Secret } from "../kube/manifests.ts";
import { authenticationOf } from "./authentication/index.ts";
import type { Inputs } from "./inputs.ts";
import { ownedMetadata } from "./metadata.ts";
import { objectNames } from "./names.ts";
import { secret } from "./secret.ts";

/** The configuration of the authentication. A Secret, since there may be a database URI in it, which carries a password. */
export function authSecret(inputs: Inputs): Secret | undefined {
  const { server } = inputs;
  const { files } = authenticationOf(inputs);
  if (Object.keys(files).length === 0) return undefined;
  return secret(ownedMetadata(server, objectNames.authConfig(server.metadata.name)), files);
}

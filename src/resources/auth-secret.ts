import type { Secret } from "../kube/manifests.ts";
import type { Inputs } from "../model/inputs.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";
import { authenticationOf } from "./authentication/index.ts";
import { secret } from "./secret.ts";

/** Returns the Secret with the authentication configuration, which can contain a database URI with a password. */
export function authSecret(inputs: Inputs): Secret | undefined {
  const { server } = inputs;
  const { files } = authenticationOf(inputs);
  if (Object.keys(files).length === 0) return undefined;
  return secret(ownedMetadata(server, objectNames.authConfig(server.metadata.name)), files);
}

import type { Secret } from "../kube/manifests.ts";
import type { Inputs } from "../model/inputs.ts";
import { storedMetadata } from "../model/metadata.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { secret } from "./secret.ts";

/** Returns the Secret with the generated name and password of the first administrator; undefined if the spec references a Secret. */
export function adminSecret({ server, generatedAdmin }: Inputs): Secret | undefined {
  if (generatedAdmin === undefined) return undefined;
  return secret(
    storedMetadata(server, objectNames.admin(server.metadata.name)),
    {
      [dataKeys.username]: generatedAdmin.username,
      [dataKeys.password]: generatedAdmin.password,
    },
    "kubernetes.io/basic-auth",
  );
}

import type { Secret } from "../kube/manifests.ts";
import { encoded } from "./base64.ts";
import type { Inputs } from "./inputs.ts";
import { storedMetadata } from "./metadata.ts";
import { dataKeys, objectNames } from "./names.ts";

/** User name and password of the first administrator, where the spec names no Secret for them. */
export function adminSecret({ server, generatedAdmin }: Inputs): Secret | undefined {
  if (generatedAdmin === undefined) return undefined;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: storedMetadata(server, objectNames.admin(server.metadata.name)),
    type: "kubernetes.io/basic-auth",
    data: encoded({
      [dataKeys.username]: generatedAdmin.username,
      [dataKeys.password]: generatedAdmin.password,
    }),
  };
}

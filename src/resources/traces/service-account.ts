import type { MlflowServer } from "../../api/server.ts";
import type { ServiceAccount } from "../../kube/manifests.ts";
import { ownedMetadata } from "../../model/metadata.ts";
import { objectNames } from "../../model/names.ts";

/** Returns the listener's ServiceAccount. It is not the server's, which can have cloud permissions for artifacts. */
export function listenerServiceAccount(server: MlflowServer): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: ownedMetadata(server, objectNames.listener(server.metadata.name), "traces"),
    automountServiceAccountToken: false,
  };
}

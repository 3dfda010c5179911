import type { MlflowServer } from "../../api/server.ts";
import type { ServiceAccount } from "../../kube/manifests.ts";
import { ownedMetadata } from "../metadata.ts";
import { objectNames } from "../names.ts";

/** The identity of the listener's pods, and not that of the server's, which a cloud may let at the artifacts. */
export function listenerServiceAccount(server: MlflowServer): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: ownedMetadata(server, objectNames.listener(server.metadata.name), "traces"),
    automountServiceAccountToken: false,
  };
}

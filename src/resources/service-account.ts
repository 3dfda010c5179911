import type { ServiceAccount } from "../kube/manifests.ts";
import type { Inputs } from "../model/inputs.ts";
import { ownedMetadata } from "../model/metadata.ts";
import { objectNames } from "../model/names.ts";

/** Returns the ServiceAccount of the pods, without a mounted token: MLflow itself does not call the Kubernetes API. */
export function serviceAccount({ server }: Inputs): ServiceAccount {
  const annotations = server.spec.serviceAccount?.annotations;
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: {
      ...ownedMetadata(server, objectNames.serviceAccount(server.metadata.name)),
      ...(annotations && { annotations }),
    },
    automountServiceAccountToken: false,
  };
}

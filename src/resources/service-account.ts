import type { ServerModel } from "../features/server-model.ts";
import type { ServiceAccount } from "../kube/manifests.ts";
import { ownedMetadata } from "../model/metadata.ts";

/** Returns the ServiceAccount of the pods, without a mounted token: MLflow itself does not call the Kubernetes API. */
export function serviceAccount({ owner, names, serviceAccountAnnotations: annotations }: ServerModel): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { ...ownedMetadata(owner, names.serviceAccount), ...(annotations && { annotations }) },
    automountServiceAccountToken: false,
  };
}

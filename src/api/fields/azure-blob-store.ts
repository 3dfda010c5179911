import { z } from "zod";
import { storePrefix } from "./bucket.ts";
import { secretKey } from "./reference.ts";
import { rules } from "./rule.ts";
import { plainText } from "./text.ts";

/** The field `artifactStore.azureBlob`. */
export const azureBlob = z
  .strictObject({
    storageAccount: plainText("Name of the storage account. Example: mlflowartifacts.", 24, {
      rule: "self.matches('^[a-z0-9]{3,24}$')",
      message:
        "storageAccount is the name of a storage account only, 3 to 24 lower case letters and digits, without the domain (use endpointSuffix)",
    }),
    container: plainText("Name of the container; it must exist. Example: mlflow.", 63, {
      rule: "self.matches('^[a-z0-9](-?[a-z0-9])+$') && self.size() > 2",
      message:
        "container is the name of a container only, 3 to 63 lower case letters, digits and single -, without a path (use prefix for the path)",
    }),
    prefix: storePrefix("container").optional(),
    endpointSuffix: z
      .enum(["blob.core.windows.net", "blob.core.chinacloudapi.cn", "blob.core.usgovcloudapi.net"])
      .meta({
        description:
          "Domain of the service in the Azure cloud of the account. Default: blob.core.windows.net. Example: blob.core.usgovcloudapi.net.",
      })
      .optional(),
    connectionStringSecretRef: secretKey(
      "A connection string of the storage account. Default: none. A change rolls the pods. Example: {name: mlflow-azure, key: connection-string}.",
    ).optional(),
    accessKeySecretRef: secretKey(
      "An access key of the storage account. Default: none; the pods get their permissions from Microsoft Entra Workload ID, with the annotation azure.workload.identity/client-id in serviceAccount.annotations. A change rolls the pods. Example: {name: mlflow-azure, key: access-key}.",
    ).optional(),
  })
  .meta({
    description: "A container in Azure Blob Storage. Example: {storageAccount: mlflowartifacts, container: mlflow}.",
    ...rules({
      rule: "!(has(self.connectionStringSecretRef) && has(self.accessKeySecretRef))",
      message:
        "connectionStringSecretRef and accessKeySecretRef are two ways to authenticate: write one of them, or none for Workload ID",
    }),
  });

import type { MlflowServer } from "../../api/server.ts";
import type { ConfigMap } from "../../kube/manifests.ts";
import { ownedMetadata } from "../metadata.ts";
import { objectNames } from "../names.ts";
import { programTexts } from "./program-texts.ts";

/** What the listener runs: it works with any image that holds MLflow, not only ours. */
export function listenerProgram(server: MlflowServer): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(server, objectNames.listener(server.metadata.name), "traces"),
    data: programTexts,
  };
}

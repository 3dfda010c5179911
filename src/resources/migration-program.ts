import type { ConfigMap } from "../kube/manifests.ts";
import type { Inputs } from "./inputs.ts";
import { ownedMetadata } from "./metadata.ts";
import { programTexts } from "./migration/program-texts.ts";
import { migrationMode } from "./migration-job.ts";
import { dataKeys, objectNames } from "./names.ts";

/** The programs that the migration Job runs: they work with any image that holds MLflow, not only ours. */
export function migrationProgram(inputs: Inputs): ConfigMap | undefined {
  if (migrationMode(inputs) === undefined) return undefined;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(inputs.server, objectNames.migrationProgram(inputs.server.metadata.name), "migration"),
    data: {
      [dataKeys.migrationProgram]: programTexts["migrate.py"],
      [dataKeys.artifactCheckProgram]: programTexts["check_artifacts.py"],
    },
  };
}

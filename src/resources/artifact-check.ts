import type { ServerModel } from "../features/server-model.ts";
import { artifactEnvironment } from "./pod/environment.ts";
import { containerSecurityContext, type MountedContainer } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { temporary } from "./pod/volumes.ts";
import { checkArtifactsProgram } from "./python-programs.ts";

/**
 * Returns the init container that checks, with the server's environment, that MLflow can write to its bucket. Without it a
 * missing permission shows only when an upload fails. Undefined if the server does not write to a bucket, or
 * the check is disabled.
 */
export function artifactCheck(model: ServerModel): MountedContainer | undefined {
  const { artifacts, image, pod } = model;
  if (!artifacts.isWriteChecked) return undefined;
  const { command, variable } = program(checkArtifactsProgram);
  return {
    container: {
      name: "check-artifacts",
      image: image.name,
      imagePullPolicy: image.pullPolicy,
      workingDir: "/",
      command,
      env: [variable, ...artifactEnvironment(model)],
      resources: pod.resources.artifactCheck,
      securityContext: containerSecurityContext,
    },
    mounted: [temporary(model), ...artifacts.mounted],
  };
}

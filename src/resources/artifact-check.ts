import type { V1Container } from "@kubernetes/client-node";
import { artifactStorageOf, isWriteChecked } from "../features/artifacts/index.ts";
import type { Inputs } from "../model/inputs.ts";
import { keyedHash } from "./inputs-hash.ts";
import { setupResources } from "./pod/compute-resources.ts";
import { artifactEnvironment } from "./pod/environment.ts";
import { imageOf } from "./pod/image.ts";
import type { MountedContainer } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { containerSecurityContext } from "./pod/security.ts";
import { temporary } from "./pod/volumes.ts";
import { checkArtifactsProgram } from "./python-programs.ts";

/**
 * Returns the init container that checks, with the server's environment, that MLflow can write to its bucket. Without it a
 * missing permission shows only when an upload fails. Undefined if the server does not write to a bucket, or
 * the check is disabled.
 */
export function artifactCheck(inputs: Inputs): MountedContainer | undefined {
  if (!isWriteChecked(inputs.server.spec)) return undefined;
  return {
    container: container(inputs),
    mounted: [temporary(inputs), ...artifactStorageOf(inputs.server.spec).mounted],
  };
}

function container(inputs: Inputs): V1Container {
  const { command, variable } = program(checkArtifactsProgram);
  return {
    name: "check-artifacts",
    image: imageOf(inputs),
    imagePullPolicy: inputs.server.spec.image?.pullPolicy ?? "IfNotPresent",
    workingDir: "/",
    command,
    env: [variable, ...artifactEnvironment(inputs)],
    resources: setupResources(inputs, { cpu: "100m", memory: "256Mi" }),
    securityContext: containerSecurityContext,
  };
}

/** Returns a hash of bucket and credentials: the check runs again when they change. Keyed, so that it reveals nothing. */
export function artifactCheckHash(inputs: Inputs): string | undefined {
  const { check } = artifactStorageOf(inputs.server.spec);
  if (check === undefined || !isWriteChecked(inputs.server.spec)) return undefined;
  const contents = check.secretNames.flatMap((name) => Object.entries(inputs.references.secrets.get(name)?.data ?? {}));
  return keyedHash(inputs, JSON.stringify([check.fields, contents.sort()]));
}

import type { V1Container } from "@kubernetes/client-node";
import type { Inputs } from "./inputs.ts";
import { keyedHash } from "./inputs-hash.ts";
import { programTexts } from "./migration/program-texts.ts";
import { setupResources } from "./pod/compute-resources.ts";
import { artifactEnvironment } from "./pod/environment.ts";
import { imageOf } from "./pod/image.ts";
import type { MountedContainer } from "./pod/pod-spec.ts";
import { program } from "./pod/program.ts";
import { containerSecurityContext } from "./pod/security.ts";
import { storeCaFiles, temporary } from "./pod/volumes.ts";

/**
 * Returns the init container that checks, with the server's environment, that MLflow can write to its bucket. Without it a
 * missing permission shows only when an upload fails. Undefined if the server does not write to a bucket, or
 * the check is disabled.
 */
export function artifactCheck(inputs: Inputs): MountedContainer | undefined {
  if (!isChecked(inputs)) return undefined;
  return {
    container: container(inputs),
    mounted: [temporary(inputs), ...storeCaFiles(inputs)],
  };
}

function container(inputs: Inputs): V1Container {
  const { command, variable } = program(programTexts["check_artifacts.py"]);
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
  const { s3 } = inputs.server.spec.artifactStore;
  if (!isChecked(inputs)) return undefined;
  const credentials = inputs.references.secrets.get(s3?.credentialsSecretRef?.name ?? "")?.data ?? {};
  return keyedHash(inputs, JSON.stringify([s3, Object.entries(credentials).sort()]));
}

function isChecked({ server }: Inputs): boolean {
  const { s3, access, connectionCheck } = server.spec.artifactStore;
  return s3 !== undefined && access !== "Direct" && connectionCheck !== false;
}

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
 * Shows that MLflow may write to its bucket, with the server's own environment, before anything is migrated or started.
 * Nothing else would tell until a user's artifact is lost. Undefined where the server itself writes to no bucket, or
 * the spec wants no check.
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

/** Which bucket, as whom: the check is made again when that changes. Keyed, so that nothing can be guessed from it. */
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

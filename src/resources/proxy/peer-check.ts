import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import type { ServerModel } from "../../features/server-model.ts";
import { literal } from "../../kube/variable.ts";
import { type Program, program as runnable } from "../pod/program.ts";
import { containerSecurityContext } from "../pod/security.ts";
import { checkIssuersProgram } from "../python-programs.ts";

/**
 * Returns an init container in MLflow's image that waits until a dependency is available, and reports the reason if it is
 * not. The rollout waits too, so running pods continue.
 */
export function peerCheck(
  { image, pod }: ServerModel,
  name: string,
  program: Program,
  env: readonly V1EnvVar[],
): V1Container {
  const { command, variable } = runnable(program);
  return {
    name,
    image: image.name,
    imagePullPolicy: image.pullPolicy,
    workingDir: "/",
    command,
    env: [variable, ...env],
    resources: pod.resources.setup,
    securityContext: containerSecurityContext,
  };
}

/** Returns the init container that waits until the issuers serve their keys. */
export function issuerCheck(model: ServerModel): V1Container {
  const issuers = model.issuers.map(({ issuer, path, ca, discovery }) => ({
    issuer,
    path,
    ca,
    ...(discovery !== undefined && { discovery }),
  }));
  return peerCheck(model, "issuers", checkIssuersProgram, [
    literal("ISSUERS", JSON.stringify(issuers)),
    literal("CA_FILES", JSON.stringify(model.issuerCaPaths)),
    ...model.process.httpProxy,
  ]);
}

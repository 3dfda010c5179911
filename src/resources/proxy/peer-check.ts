import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import type { Inputs } from "../../model/inputs.ts";
import { setupResources } from "../pod/compute-resources.ts";
import { imageOf } from "../pod/image.ts";
import { program as runnable } from "../pod/program.ts";
import { containerSecurityContext } from "../pod/security.ts";

/**
 * Returns an init container in MLflow's image that waits until a dependency is available, and reports the reason if it is
 * not. The rollout waits too, so running pods continue.
 */
export function peerCheck(
  { server, installation }: Pick<Inputs, "server" | "installation">,
  name: string,
  program: string,
  env: V1EnvVar[],
): V1Container {
  const { command, variable } = runnable(program);
  return {
    name,
    image: imageOf({ server, installation }),
    imagePullPolicy: server.spec.image?.pullPolicy ?? "IfNotPresent",
    workingDir: "/",
    command,
    env: [variable, ...env],
    resources: setupResources({ server }, { cpu: "10m", memory: "32Mi" }),
    securityContext: containerSecurityContext,
  };
}

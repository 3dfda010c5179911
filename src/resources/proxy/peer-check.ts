import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import type { ServerModel } from "../../features/server-model.ts";
import { program as runnable } from "../pod/program.ts";
import { containerSecurityContext } from "../pod/security.ts";

/**
 * Returns an init container in MLflow's image that waits until a dependency is available, and reports the reason if it is
 * not. The rollout waits too, so running pods continue.
 */
export function peerCheck({ image, pod }: ServerModel, name: string, program: string, env: V1EnvVar[]): V1Container {
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

import type { V1Container } from "@kubernetes/client-node";
import type { Inputs } from "../inputs.ts";
import { imageOf } from "../pod/image.ts";
import { containerSecurityContext } from "../pod/security.ts";
import { literal } from "../pod/variable.ts";
import { issuerAuthorities } from "./files.ts";
import { issuersOf } from "./issuers.ts";
import { programTexts } from "./program-texts.ts";

/**
 * Runs before the pod's other containers, in MLflow's image: the pod waits until its issuers can be asked for their keys,
 * and says which cannot and why. A rollout waits with it, so that what runs goes on running.
 */
export function issuerCheck(inputs: Inputs): V1Container {
  const issuers = issuersOf(inputs).map(({ issuer, path, ca, discovery }) => ({
    issuer,
    path,
    ca,
    ...(discovery !== undefined && { discovery }),
  }));
  const authorities = issuerAuthorities(inputs).flatMap(({ mounts }) =>
    mounts.map(({ mountPath }) => `${mountPath}/ca.crt`),
  );
  return {
    name: "issuers",
    image: imageOf(inputs),
    imagePullPolicy: inputs.server.spec.image?.pullPolicy ?? "IfNotPresent",
    workingDir: "/",
    command: ["python", "-I", "-c", programTexts["check_issuers.py"]],
    env: [literal("ISSUERS", JSON.stringify(issuers)), literal("AUTHORITIES", JSON.stringify(authorities))],
    resources: { requests: { cpu: "10m", memory: "32Mi" } },
    securityContext: containerSecurityContext,
  };
}

import { reservedNames } from "../../api/defaults.ts";
import { externalAddressOf } from "../exposure.ts";
import type { Inputs } from "../inputs.ts";
import { literal } from "../pod/variable.ts";
import { issuerCaFiles, issuerCaPaths } from "../proxy/files.ts";
import { issuersOf } from "../proxy/issuers.ts";
import type { Authentication } from "./authentication.ts";

/**
 * Who calls is what the identity token says that the proxy passes on, verified once more: no header of a client's, and no list
 * that has to be taken apart.
 */
export function proxyIdentity(
  inputs: Inputs,
): Pick<Authentication, "application" | "env" | "files" | "mounted" | "packages"> {
  return {
    application: "kubernetes-identity",
    env: [literal("MLFLOW_K8S_IDENTITY", JSON.stringify(settings(inputs)))],
    files: {},
    mounted: issuerCaFiles(inputs),
    packages: ["mlflow_kubernetes_plugins", "jwt"],
  };
}

/** What the program is told: src/resources/middleware/mlflow_operator/kubernetes_identity.py. */
function settings(inputs: Inputs) {
  const { kubernetes = {} } = inputs.server.spec.authentication.oauth2Proxy?.authorization ?? {};
  const { prefix = "" } = externalAddressOf(inputs.server) ?? {};
  return {
    issuers: issuersOf(inputs).map(({ issuer, audience, isCluster = false }) => ({ issuer, audience, isCluster })),
    authorities: issuerCaPaths(inputs),
    usernameClaim: kubernetes.usernameClaim ?? "sub",
    groupsClaim: kubernetes.groupsClaim ?? "groups",
    usernamePrefix: kubernetes.usernamePrefix ?? "",
    groupsPrefix: kubernetes.groupsPrefix ?? "",
    reservedNames: kubernetes.reservedNames ?? reservedNames,
    // The proxy's own, below its prefix; where a browser shall be afterwards is said as the browser sees it.
    signIn: `/oauth2/start?rd=${encodeURIComponent(`${prefix}/`)}`,
  };
}

import { reservedNames } from "../../api/defaults.ts";
import { literal } from "../../features/common/variable.ts";
import { externalAddressOf } from "../../model/exposure.ts";
import type { Inputs } from "../../model/inputs.ts";
import { issuersOf } from "../../model/issuers.ts";
import { issuerCaFiles, issuerCaPaths } from "../proxy/files.ts";
import type { Authentication } from "./authentication.ts";

/**
 * Returns the settings for callers identified by the ID token that oauth2-proxy forwards. The middleware verifies the token again, and
 * uses no header of the client and no concatenated list of groups.
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

/** Returns the settings of python/src/mlflow_operator/kubernetes_identity.py. */
function settings(inputs: Inputs) {
  const { kubernetes = {} } = inputs.server.spec.authentication.oauth2Proxy?.authorization ?? {};
  const { prefix = "" } = externalAddressOf(inputs.server) ?? {};
  return {
    issuers: issuersOf(inputs).map(({ issuer, audience, isCluster = false }) => ({ issuer, audience, isCluster })),
    caFiles: issuerCaPaths(inputs),
    usernameClaim: kubernetes.usernameClaim ?? "sub",
    groupsClaim: kubernetes.groupsClaim ?? "groups",
    usernamePrefix: kubernetes.usernamePrefix ?? "",
    groupsPrefix: kubernetes.groupsPrefix ?? "",
    reservedNames: kubernetes.reservedNames ?? reservedNames,
    // The path of oauth2-proxy, without the prefix; the redirect target is the path that the browser uses.
    signIn: `/oauth2/start?rd=${encodeURIComponent(`${prefix}/`)}`,
  };
}

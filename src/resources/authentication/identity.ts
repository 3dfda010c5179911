import { defaults } from "../../api/defaults.ts";
import { secondsOf } from "../../api/duration.ts";
import type { Inputs } from "../inputs.ts";
import { literal } from "../pod/variable.ts";
import { issuerAuthorities, issuerAuthorityPaths } from "../proxy/files.ts";
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
    mounted: issuerAuthorities(inputs),
    packages: ["mlflow_kubernetes_plugins", "jwt"],
  };
}

/** What the program is told. The proxy keeps a token for as long as it does not renew the session. */
function settings(inputs: Inputs) {
  const { authentication, proxy } = inputs.server.spec;
  const { usernameClaim = "sub", groupsClaim = "groups" } = authentication.kubernetes ?? {};
  return {
    issuers: issuersOf(inputs).map(({ issuer, audience, isCluster = false }) => ({ issuer, audience, isCluster })),
    authorities: issuerAuthorityPaths(inputs),
    usernameClaim,
    groupsClaim,
    sessionSeconds: secondsOf(proxy?.session?.refresh ?? defaults.sessionRefresh),
  };
}

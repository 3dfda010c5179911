import type { V1Container } from "@kubernetes/client-node";
import { caPathsOf } from "../../features/authentication/oauth2-proxy.ts";
import type { ServerModel } from "../../features/server-model.ts";
import { literal } from "../../kube/variable.ts";
import { checkIssuersProgram } from "../python-programs.ts";
import { peerCheck } from "./peer-check.ts";

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
    literal("CA_FILES", JSON.stringify(caPathsOf(model.issuerCaFiles))),
    ...model.process.httpProxy,
  ]);
}

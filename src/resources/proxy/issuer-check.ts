import type { V1Container } from "@kubernetes/client-node";
import { literal } from "../../features/common/variable.ts";
import type { Inputs } from "../../model/inputs.ts";
import { issuersOf } from "../../model/issuers.ts";
import { httpProxy } from "../pod/user-environment.ts";
import { checkIssuersProgram } from "../python-programs.ts";
import { issuerCaPaths } from "./files.ts";
import { peerCheck } from "./peer-check.ts";

/** Returns the init container that waits until the issuers serve their keys. */
export function issuerCheck(inputs: Inputs): V1Container {
  const issuers = issuersOf(inputs).map(({ issuer, path, ca, discovery }) => ({
    issuer,
    path,
    ca,
    ...(discovery !== undefined && { discovery }),
  }));
  return peerCheck(inputs, "issuers", checkIssuersProgram, [
    literal("ISSUERS", JSON.stringify(issuers)),
    literal("CA_FILES", JSON.stringify(issuerCaPaths(inputs))),
    ...httpProxy(inputs),
  ]);
}

import { externalAddressOf } from "../../model/exposure.ts";
import type { Inputs } from "../../model/inputs.ts";

/** Returns the cookie prefix with which browsers accept the cookie by https only; `__Host-` requires the path `/`. */
export function cookiePrefix({ server }: Pick<Inputs, "server">, isSecure: boolean): string {
  if (!isSecure) return "";
  return (externalAddressOf(server)?.prefix ?? "") === "" ? "__Host-" : "__Secure-";
}

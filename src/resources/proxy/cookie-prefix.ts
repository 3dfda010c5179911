import { externalAddressOf } from "../exposure.ts";
import type { Inputs } from "../inputs.ts";

/** By these prefixes browsers take a cookie from this host by https only; `__Host-` is for cookies of the path `/`. */
export function cookiePrefix({ server }: Pick<Inputs, "server">, isSecure: boolean): string {
  if (!isSecure) return "";
  return (externalAddressOf(server)?.prefix ?? "") === "" ? "__Host-" : "__Secure-";
}

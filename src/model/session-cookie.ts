import type { MlflowServer } from "../api/server.ts";
import type { Addresses } from "./addresses.ts";
import { objectNames } from "./names.ts";

/** Returns a cookie name that is unique per server: cookies are separate by host, but not by port and path. */
export function sessionCookieName(
  { metadata, addresses }: Pick<MlflowServer, "metadata"> & { readonly addresses: Pick<Addresses, "prefix"> },
  isSecure: boolean,
): string {
  // With these prefixes browsers accept the cookie by https only; `__Host-` requires the path `/`.
  const prefix = addresses.prefix === "" ? "__Host-" : "__Secure-";
  return `${isSecure ? prefix : ""}_${metadata.namespace ?? "default"}_${objectNames.service(metadata.name)}`;
}

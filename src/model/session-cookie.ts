import type { Addresses } from "./addresses.ts";
import type { Names } from "./names.ts";

/** Returns a cookie name that is unique per server: cookies are separate by host, but not by port and path. */
export function sessionCookieName(
  { addresses, namespace, names }: { readonly addresses: Addresses; readonly namespace: string; readonly names: Names },
  isSecure: boolean,
): string {
  // With these prefixes browsers accept the cookie by https only; `__Host-` requires the path `/`.
  const prefix = addresses.prefix === "" ? "__Host-" : "__Secure-";
  return `${isSecure ? prefix : ""}_${namespace}_${names.service}`;
}

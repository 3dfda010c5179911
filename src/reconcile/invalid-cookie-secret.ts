import { dataKeys } from "../model/names.ts";
import type { Cause } from "./cause.ts";
import type { ObservedState } from "./observed-state.ts";

/** The cause if a user's session Secret has no cookie secret that oauth2-proxy accepts. A generated one is valid. */
export function invalidCookieSecret({ server, model }: ObservedState): Cause | undefined {
  const secretName = server.spec.server?.sessionSecretRef?.name;
  if (model.proxy === undefined || secretName === undefined) return undefined;
  if (/^[A-Za-z0-9]{32}$/.test(model.session.keys.cookieSecret ?? "")) return undefined;
  return {
    reason: "InvalidSecret",
    message: `Secret ${secretName}: ${dataKeys.cookieSecret} is not 32 letters and digits: generate one with openssl rand -hex 16`,
  };
}

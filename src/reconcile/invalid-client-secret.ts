import { decoded } from "../resources/base64.ts";
import { controlCharacters } from "./control-characters.ts";
import type { Facts } from "./facts.ts";
import type { Cause } from "./finding.ts";

/** A client secret that the issuer would not know: the login would end with an error that does not say so. */
export function invalidClientSecret({ server, references }: Facts): Cause | undefined {
  const { authentication, proxy } = server.spec;
  const reference = authentication.oidc?.clientSecret ?? proxy?.clientSecret;
  if (reference === undefined) return undefined;
  const { secretName, key } = reference;
  const secret = decoded(references.secrets.get(secretName)?.data, key) ?? "";
  const problem =
    secret === ""
      ? `is empty: write the client's secret${proxy === undefined ? "" : ", or leave out spec.proxy.clientSecret for a public client"}`
      : controlCharacters.test(secret)
        ? "contains a line break or another control character: write it without one (printf, not echo)"
        : undefined;
  if (problem === undefined) return undefined;
  return { reason: "InvalidSecret", message: `the key ${key} of Secret ${secretName} ${problem}` };
}

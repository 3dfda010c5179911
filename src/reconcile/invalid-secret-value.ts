import type { SecretKey } from "../api/fields/reference.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import { controlCharacters } from "../features/common/control-characters.ts";
import { decoded } from "../kube/base64.ts";
import type { Cause } from "./cause.ts";
import type { ObservedState } from "./observed-state.ts";

/** The causes if a one-line secret is empty or has a line break: the receiver would reject it with an unrelated error. */
export function invalidSecretValue({ server, references }: ObservedState): Cause[] {
  return lines(server.spec).flatMap(({ name: secretName, key, remedy }): Cause[] => {
    const secret = decoded(references.secrets.get(secretName)?.data, key);
    if (secret === undefined) return [];
    const problem =
      secret === ""
        ? `is empty: ${remedy}`
        : controlCharacters.test(secret)
          ? "contains a line break or another control character: write it without one (printf, not echo)"
          : undefined;
    if (problem === undefined) return [];
    return [{ reason: "InvalidSecret", message: `the key ${key} of Secret ${secretName} ${problem}` }];
  });
}

function lines({ authentication }: MlflowServerSpec): (SecretKey & { remedy: string })[] {
  const client = "write the client's secret";
  const { oidc, oauth2Proxy: proxy } = authentication;
  const password = proxy?.session?.redis?.passwordSecretRef;
  return [
    ...(oidc === undefined ? [] : [{ ...oidc.clientSecretRef, remedy: client }]),
    ...(proxy?.clientSecretRef === undefined
      ? []
      : [
          {
            ...proxy.clientSecretRef,
            remedy: `${client}, or leave out spec.authentication.oauth2Proxy.clientSecretRef for a public client`,
          },
        ]),
    ...(password === undefined
      ? []
      : [
          {
            ...password,
            remedy: "write the password, or leave out spec.authentication.oauth2Proxy.session.redis.passwordSecretRef",
          },
        ]),
  ];
}

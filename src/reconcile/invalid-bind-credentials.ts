import { controlCharacters } from "../features/common/control-characters.ts";
import { decoded } from "../kube/base64.ts";
import type { Cause } from "./cause.ts";
import type { ObservedState } from "./observed-state.ts";

/** The cause if a bind DN or password cannot be valid for an LDAP search. */
export function invalidBindCredentials({ server, references }: ObservedState): Cause | undefined {
  const credentials = server.spec.authentication.ldap?.search?.bindCredentialsSecretRef;
  if (credentials === undefined) return undefined;
  const { name: secretName, usernameKey = "username", passwordKey = "password" } = credentials;
  const data = references.secrets.get(secretName)?.data;
  const dn = decoded(data, usernameKey);
  const password = decoded(data, passwordKey);
  if (dn === undefined || password === undefined) return undefined;
  const problem =
    !dn.includes("=") || controlCharacters.test(dn)
      ? `the key ${usernameKey} must be a DN such as cn=mlflow,ou=services,dc=example,dc=com, without a line break (printf, not echo)`
      : password === ""
        ? `the key ${passwordKey} is empty, which LDAP servers treat as an anonymous bind: write the password`
        : /[\r\n]$/.test(password)
          ? `the key ${passwordKey} ends with a line break: write the password without it (printf, not echo)`
          : undefined;
  return problem === undefined ? undefined : { reason: "InvalidSecret", message: `Secret ${secretName}: ${problem}` };
}

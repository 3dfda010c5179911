import type { Ldap } from "../../api/fields/ldap.ts";
import type { CertificateAuthority, CertificateAuthorityOrText } from "../../api/fields/reference.ts";
import { caFileVolume, keyFiles, type Mounted } from "../../features/common/mounted-volume.ts";
import { caReferences, type Reference, secretReference } from "../../features/common/reference.ts";
import { separateUserDatabase } from "../../features/database/index.ts";
import type { Inputs } from "../../model/inputs.ts";
import { ldapFiles } from "../python-programs.ts";
import { type Authentication, authDirectory } from "./authentication.ts";
import { ldapSettings } from "./ldap-settings.ts";
import { withUserStore } from "./user-store.ts";

const path = "spec.authentication.ldap";
const caPath = "/etc/mlflow/ca/ldap/ca.crt";
const caFile = "ldap-ca.crt";
const credentialsPath = "/etc/mlflow/ldap";

/** Returns LDAP authentication: MLflow's basic authentication with the operator's authorization function. */
export function ldapAuthentication(inputs: Inputs, ldap: Ldap): Authentication {
  const users = withUserStore(inputs, { ...ldap, path }, "mlflow_ldap:authenticate_request");
  const settings = ldapSettings(ldap, {
    ca: ldap.ca && (ldap.ca.certificates === undefined ? caPath : `${authDirectory}/${caFile}`),
    credentials: credentialsPath,
  });
  return {
    ...users,
    packages: ["ldap3"],
    programs: { programs: ldapFiles, settings: { "ldap.json": JSON.stringify(settings) } },
    files: {
      ...users.files,
      ...(ldap.ca?.certificates !== undefined && { [caFile]: ldap.ca.certificates }),
    },
    mounted: [...caVolumes(ldap.ca), ...credentials(ldap)],
  };
}

/** Returns the Secrets and ConfigMaps that it references. */
export function ldapReferences({ database, ca, search }: Ldap): Reference[] {
  const {
    name: secretName,
    usernameKey = "username",
    passwordKey = "password",
  } = search?.bindCredentialsSecretRef ?? {};
  return [
    ...(separateUserDatabase(database, `${path}.database`)?.references ?? []),
    ...caReferences(referenced(ca), `${path}.ca`),
    ...(secretName === undefined
      ? []
      : [secretReference(secretName, [usernameKey, passwordKey], `${path}.search.bindCredentialsSecretRef`)]),
  ];
}

function caVolumes(ca: CertificateAuthorityOrText | undefined): Mounted[] {
  const reference = referenced(ca);
  return reference === undefined ? [] : [caFileVolume("ca-ldap", reference, caPath)];
}

/** Returns the CA bundle if it is in a Secret or ConfigMap. */
function referenced(ca: CertificateAuthorityOrText | undefined): CertificateAuthority | undefined {
  return ca?.certificates === undefined ? ca : undefined;
}

/** Returns the credentials for searches: two keys of the user's Secret. */
function credentials({ search }: Ldap): Mounted[] {
  const found = search?.bindCredentialsSecretRef;
  if (found === undefined) return [];
  const { name: secretName, usernameKey = "username", passwordKey = "password" } = found;
  return [keyFiles("ldap", secretName, credentialsPath, { dn: usernameKey, password: passwordKey })];
}

import type { Ldap } from "../../api/fields/ldap.ts";
import type { CertificateAuthority, CertificateAuthorityOrText } from "../../api/fields/reference.ts";
import type { Inputs } from "../inputs.ts";
import { programTexts } from "../ldap/program-texts.ts";
import { caFileVolume, keyFiles, type Mounted } from "../pod/mounted-volume.ts";
import { caReferences, databaseReferences, type Reference, secretReference } from "../reference.ts";
import { type Authentication, authDirectory } from "./authentication.ts";
import { ldapSettings } from "./ldap-settings.ts";
import { withUserStore } from "./user-store.ts";

const caPath = "/etc/mlflow/ca/ldap/ca.crt";
const caFile = "ldap-ca.crt";
const credentialsPath = "/etc/mlflow/ldap";

/** Users of a directory: MLflow's application for users with passwords, which calls the operator's authorization function. */
export function ldapAuthentication(inputs: Inputs, ldap: Ldap): Authentication {
  const users = withUserStore(inputs, ldap, "mlflow_ldap:authenticate_request");
  const settings = ldapSettings(ldap, {
    ca: ldap.ca && (ldap.ca.certificates === undefined ? caPath : `${authDirectory}/${caFile}`),
    credentials: credentialsPath,
  });
  return {
    ...users,
    packages: ["ldap3"],
    programs: { programs: programTexts, settings: { "ldap.json": JSON.stringify(settings) } },
    files: {
      ...users.files,
      ...(ldap.ca?.certificates !== undefined && { [caFile]: ldap.ca.certificates }),
    },
    mounted: [...authority(ldap.ca), ...credentials(ldap)],
  };
}

/** The Secrets and ConfigMaps that it needs. */
export function ldapReferences({ database, ca, search }: Ldap): Reference[] {
  const path = "spec.authentication.ldap";
  const {
    name: secretName,
    usernameKey = "username",
    passwordKey = "password",
  } = search?.bindCredentialsSecretRef ?? {};
  return [
    ...databaseReferences(database?.postgresql, `${path}.database.postgresql`),
    ...caReferences(named(ca), `${path}.ca`),
    ...(secretName === undefined
      ? []
      : [secretReference(secretName, [usernameKey, passwordKey], `${path}.search.bindCredentialsSecretRef`)]),
  ];
}

function authority(ca: CertificateAuthorityOrText | undefined): Mounted[] {
  const found = named(ca);
  return found === undefined ? [] : [caFileVolume("ca-ldap", found, caPath)];
}

/** The authority where it stands in a Secret or ConfigMap. */
function named(ca: CertificateAuthorityOrText | undefined): CertificateAuthority | undefined {
  return ca?.certificates === undefined ? ca : undefined;
}

/** Who searches: the two keys of the user's Secret, and none of its others. */
function credentials({ search }: Ldap): Mounted[] {
  const found = search?.bindCredentialsSecretRef;
  if (found === undefined) return [];
  const { name: secretName, usernameKey = "username", passwordKey = "password" } = found;
  return [keyFiles("ldap", secretName, credentialsPath, { dn: usernameKey, password: passwordKey })];
}

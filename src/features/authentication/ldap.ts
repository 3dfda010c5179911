import type { Ldap } from "../../api/fields/ldap.ts";
import { decoded } from "../../kube/data.ts";
import { dataKeys, objectNames } from "../../model/names.ts";
import { caFileVolume, keyFiles, type Mounted } from "../common/mounted-volume.ts";
import { caReferences, secretReference } from "../common/reference.ts";
import { controlCharacters } from "../common/secret-problems.ts";
import { separateUserDatabase } from "../database/index.ts";
import { type AuthenticationMethod, authDirectory, noSettings } from "./authentication.ts";
import { ldapSettings } from "./ldap-settings.ts";
import { userStore } from "./user-store.ts";

const path = "spec.authentication.ldap";
const caPath = "/etc/mlflow/ca/ldap/ca.crt";
const caFile = "ldap-ca.crt";
const credentialsPath = "/etc/mlflow/ldap";

/** The administrator that MLflow requires. It cannot log in: the directory does not have it. */
const administrator = (server: string) => ({
  secretName: objectNames.admin(server),
  usernameKey: dataKeys.username,
  passwordKey: dataKeys.password,
  generated: true,
  canLogIn: false,
});

/** LDAP: MLflow's basic authentication with the operator's authorization function. */
export function ldapMethod(ldap: Ldap): AuthenticationMethod {
  const separate = separateUserDatabase(ldap.database, `${path}.database`);
  const { certificates } = ldap.ca ?? {};
  // The CA bundle if it is in a Secret or ConfigMap.
  const ca = certificates === undefined ? ldap.ca : undefined;
  const {
    name: secretName,
    usernameKey = "username",
    passwordKey = "password",
  } = ldap.search?.bindCredentialsSecretRef ?? {};
  const credentials = secretName === undefined ? undefined : { secretName, usernameKey, passwordKey };
  const mounted: Mounted[] = [
    ...(ca === undefined ? [] : [caFileVolume("ca-ldap", ca, caPath)]),
    ...(credentials === undefined
      ? []
      : [keyFiles("ldap", credentials.secretName, credentialsPath, { dn: usernameKey, password: passwordKey })]),
  ];
  return {
    ...noSettings,
    displayName: "LDAP",
    administrator,
    references: [
      ...(separate?.references ?? []),
      ...caReferences(ca, `${path}.ca`),
      ...(credentials === undefined
        ? []
        : [
            secretReference(
              credentials.secretName,
              [usernameKey, passwordKey],
              `${path}.search.bindCredentialsSecretRef`,
            ),
          ]),
    ],
    urls: [{ path: `${path}.url`, url: ldap.url, isPeer: true }],
    certificates: certificates === undefined ? [] : [{ path: `${path}.ca.certificates`, text: certificates }],
    problems: ({ secrets }) => {
      const data = secrets.get(secretName ?? "")?.data;
      const problem = bindProblem(decoded(data, usernameKey), decoded(data, passwordKey));
      return problem === undefined
        ? []
        : [`Secret ${secretName}: the key ${problem.of === "dn" ? usernameKey : passwordKey} ${problem.message}`];
    },
    pod: (base, database) => {
      const users = userStore(
        {
          separate,
          administrator: administrator(base.name),
          defaultPermission: ldap.defaultPermission ?? "READ",
          authorizationFunction: "mlflow_ldap:authenticate_request",
          cacheSeconds: 0,
        },
        database,
        base.references,
      );
      const settings = ldapSettings(ldap, {
        ca: ldap.ca && (certificates === undefined ? caPath : `${authDirectory}/${caFile}`),
        credentials: credentialsPath,
      });
      return {
        ...users,
        packages: ["ldap3"],
        groups: "mlflow_ldap",
        programs: { files: "mlflow_ldap", settings: { "ldap.json": JSON.stringify(settings) } },
        files: { ...users.files, ...(certificates !== undefined && { [caFile]: certificates }) },
        mounted,
      };
    },
  };
}

/** Returns why a bind DN or password cannot be valid for a search. */
function bindProblem(
  dn: string | undefined,
  password: string | undefined,
): { readonly of: "dn" | "password"; readonly message: string } | undefined {
  if (dn === undefined || password === undefined) return undefined;
  if (!dn.includes("=") || controlCharacters.test(dn))
    return {
      of: "dn",
      message: "must be a DN such as cn=mlflow,ou=services,dc=example,dc=com, without a line break (printf, not echo)",
    };
  if (password === "")
    return {
      of: "password",
      message: "is empty, which LDAP servers treat as an anonymous bind: write the password",
    };
  return /[\r\n]$/.test(password)
    ? {
        of: "password",
        message: "ends with a line break: write the password without it (printf, not echo)",
      }
    : undefined;
}

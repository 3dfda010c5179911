import { artifactStorageOf } from "../features/artifacts/index.ts";
import { backendDatabase } from "../features/database/index.ts";
import type { Inputs } from "../model/inputs.ts";
import { issuersOf } from "../model/issuers.ts";
import { isAuthorizedByKubernetes } from "../model/kubernetes-authorization.ts";
import { authenticationOf } from "./authentication/index.ts";

/** The ports of the API server's Service and of its endpoints. */
const apiServerPorts = [443, 6443];

/** Returns the TCP ports of all addresses in the spec that the server connects to. */
export function egressPorts(inputs: Inputs): number[] {
  const { authentication } = inputs.server.spec;
  const { oauth2Proxy: proxy } = authentication;
  const { users } = authenticationOf(inputs);
  const databases = [backendDatabase(inputs.server.spec), ...(users?.isSeparate ? [users.database] : [])];
  const urls = [
    ...artifactStorageOf(inputs.server.spec).urls.map(({ url }) => url),
    ...(authentication.ldap === undefined ? [] : [authentication.ldap.url]),
    ...issuersOf(inputs).map(({ discovery, issuer }) => discovery ?? issuer),
    ...(proxy?.session?.redis === undefined ? [] : [proxy.session.redis.url]),
  ];
  const callsApiServer =
    isAuthorizedByKubernetes(inputs.server.spec) || proxy?.acceptServiceAccountTokens !== undefined;
  return [
    ...databases.flatMap(({ egressPorts }) => egressPorts(inputs.references)),
    ...urls.flatMap(portOf),
    ...(callsApiServer ? apiServerPorts : []),
  ];
}

const defaultPorts: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "ldap:": 389,
  "ldaps:": 636,
  "redis:": 6379,
  "rediss:": 6379,
};

function portOf(url: string): number[] {
  const parsed = URL.parse(url);
  if (parsed === null) return [];
  const { protocol, port } = parsed;
  return [port === "" ? (defaultPorts[protocol] ?? 443) : Number(port)];
}

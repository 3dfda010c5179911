import { createHash, createHmac } from "node:crypto";
import { defaults } from "../api/defaults.ts";
import { unsupportedFields } from "../api/unsupported-fields.ts";
import { encoded } from "../kube/data.ts";
import { annotation } from "../kube/names.ts";
import { type Content, type ContentSummary, digestOf } from "../model/content.ts";
import type { Inputs, References } from "../model/inputs.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { resolveBase, type ServerBase } from "../model/server-base.ts";
import { artifactRootVariables, artifactStorageOf, artifactVariables, isWriteChecked } from "./artifacts/index.ts";
import type { ArtifactStorage } from "./artifacts/storage.ts";
import { withAccess } from "./authentication/access.ts";
import type { Authentication, AuthenticationMethod } from "./authentication/authentication.ts";
import { authenticationMethod } from "./authentication/index.ts";
import { caPathsOf } from "./common/mounted-volume.ts";
import type { Database } from "./database/database.ts";
import { backendDatabase } from "./database/index.ts";
import { referencesOf } from "./references.ts";
import type { MigrationIdentity, ServerModel, ServerVolume } from "./server-model.ts";

/** The alternatives that the spec selects. */
interface Alternatives {
  readonly database: Database;
  readonly storage: ArtifactStorage;
  readonly method: AuthenticationMethod;
}

/**
 * Returns the model of a server, which a reconciliation builds once. Throws if the spec has a field that this operator does not
 * support. Alternatives that are given replace those of the spec: the tests build one of each.
 */
export function resolve(inputs: Inputs, given: Partial<Alternatives> = {}): ServerModel {
  const { server, installation, references } = inputs;
  const [unsupported] = unsupportedFields("MlflowServer", server.spec);
  if (unsupported !== undefined) throw new Error(`${unsupported}: not supported by this version of the operator`);
  const base = resolveBase(inputs);
  const {
    database = backendDatabase(server.spec),
    storage = artifactStorageOf(server.spec),
    method = authenticationMethod(server.spec),
  } = given;
  const artifacts = {
    ...storage,
    variables: artifactVariables(server.spec),
    rootVariables: artifactRootVariables(server.spec),
    isWriteChecked: isWriteChecked(server.spec),
  };
  const storeValues = storeValuesOf(database, references);
  const authentication = withAccess(method.pod(base, database), server.spec.access);
  const databases = [database, ...(authentication.users?.isSeparate ? [authentication.users.database] : [])];
  const issuers = method.issuers(installation);
  const keyedHash = (text: string) => keyedHashOf(inputs.session.hashKey ?? inputs.session.flaskSecretKey, text);
  const content = contentOf(inputs, method.sessionKeys.includes(dataKeys.cookieSecret));
  const inputsHash = keyedHash(JSON.stringify(readAtStart(content, storeValues, authentication)));
  const restart = server.metadata.annotations?.[annotation.restart];
  const urls = [
    ...artifacts.urls.map(({ url }) => url),
    ...issuers.map(({ discovery, issuer }) => discovery ?? issuer),
    ...method.urls.flatMap(({ url, isPeer }) => (isPeer ? [url] : [])),
    ...base.process.httpProxyUrls,
  ];
  return {
    ...base,
    database,
    storeValues,
    artifacts,
    authentication,
    issuers,
    issuerCaFiles: method.issuerCaFiles,
    issuerCaPaths: caPathsOf(method.issuerCaFiles),
    volume: volumeOf(base, storage, database),
    databaseFiles: databases.flatMap(({ mounted }) => mounted),
    egressPorts: [
      ...databases.flatMap(({ egressPorts }) => egressPorts(references)),
      ...urls.flatMap(portOf),
      ...(base.authorization.isByKubernetes || base.proxy?.acceptsServiceAccountTokens === true ? apiServerPorts : []),
    ],
    migration: migrationIdentity(base, { database, artifacts, authentication, keyedHash }),
    content,
    referencesHash: hasReferences(references)
      ? keyedHash(JSON.stringify([content.secrets, content.configMaps]))
      : undefined,
    inputsHash,
    podAnnotations: {
      ...base.pod.annotations,
      ...(restart && { [annotation.restart]: restart }),
      [annotation.inputs]: inputsHash,
    },
    keyedHash,
  };
}

function hasReferences({ secrets, configMaps }: References): boolean {
  return secrets.size + configMaps.size > 0;
}

function storeValuesOf(database: Database, references: References): Readonly<Record<string, string>> | undefined {
  const uri = database.isUriGenerated ? database.uri(references) : undefined;
  if (uri === undefined) return undefined;
  const replicaUri = database.replicaUri?.(references);
  return {
    [dataKeys.backendStoreUri]: uri,
    ...(replicaUri !== undefined && { [dataKeys.readReplicaUri]: replicaUri }),
  };
}

function volumeOf(
  { names }: Pick<ServerBase, "names">,
  { volume }: ArtifactStorage,
  database: Database,
): ServerVolume | undefined {
  const settings = volume ?? database.volume;
  if (settings === undefined) return undefined;
  return {
    claimName: volume?.existingClaim ?? names.volumeClaim,
    hasOwnClaim: volume?.existingClaim === undefined,
    subPath: volume?.subPath,
    size: settings.size ?? defaults.sqliteVolumeSize,
    storageClassName: settings.storageClassName,
    accessModes: volume?.accessModes ?? defaults.accessModes,
    isExclusive: database.volume !== undefined || volume?.isShared === false,
  };
}

/** The ports of the API server's Service and of its endpoints. */
const apiServerPorts = [443, 6443];

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

/** Returns 32 hexadecimal digits of an HMAC-SHA-256. */
function keyedHashOf(key: string, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex").slice(0, 32);
}

/**
 * Returns everything that pods read when they start: the referenced Secrets and ConfigMaps and those derived from them. Not the
 * generated administrator, which MLflow reads from its database after the first start, and not files that are read again at run
 * time. Its hash is keyed by a secret of the server: a plain hash in an annotation would allow users who can read pods to guess
 * passwords.
 */
function readAtStart(
  { secrets, configMaps, ...keys }: ReturnType<typeof contentOf>,
  storeValues: Readonly<Record<string, string>> | undefined,
  { files }: Authentication,
): object {
  const { [dataKeys.access]: _, ...once } = files;
  const derived = [storeValues && encoded(storeValues), Object.keys(once).length === 0 ? undefined : encoded(once)];
  return { secrets, configMaps, derived, ...keys };
}

/** Returns digests of the referenced content that pods read when they start, and the generated keys. */
function contentOf({ references, server, session: allKeys }: Inputs, hasCookieSecret: boolean) {
  const { cookieSecret, rotations: _, hashKey: __, ...session } = allKeys;
  const wanted = referencesOf(server.spec).filter(({ kind }) => kind === "Secret");
  // Secrets of which every key is read again at run time.
  const once = new Set(wanted.filter(({ isReread }) => isReread !== true).map(({ name }) => name));
  const reread = new Set(wanted.map(({ name }) => name).filter((name) => !once.has(name)));
  return {
    secrets: digests(new Map([...references.secrets].filter(([name]) => !reread.has(name)))),
    configMaps: digests(references.configMaps),
    session,
    ...(hasCookieSecret && { cookieSecret }),
  };
}

function digests(objects: ReadonlyMap<string, Content & ContentSummary>): unknown {
  return [...objects].map(([name, content]) => [name, digestOf(content)]).sort();
}

/**
 * Returns what shows that a migration is needed. The name of the Job has ten hexadecimal digits that change with version, image,
 * databases, migration mode, and bucket with its credentials; never with a database password.
 */
function migrationIdentity(
  base: ServerBase,
  {
    database,
    artifacts,
    authentication,
    keyedHash,
  }: Pick<ServerModel, "database" | "artifacts" | "authentication" | "keyedHash">,
): MigrationIdentity {
  const { references, volumeClaim, server } = base.source;
  const { users, packages } = authentication;
  const { existingClaim, subPath } = artifacts.volume ?? {};
  const volumeUid = existingClaim === undefined ? volumeClaim?.uid : [existingClaim, subPath].join("/");
  const inputs = { references, volumeUid, keyedHash };
  const databases = {
    tracking: database.identity(inputs),
    auth: users && (users.isSeparate ? users.database.identity(inputs) : "tracking"),
    restored: server.metadata.annotations?.[annotation.restored],
  };
  const hash = digest({
    version: base.version,
    image: base.image.name,
    mode: base.migrationMode,
    databases,
    artifacts: checkHash(base, artifacts, keyedHash),
    packages,
  });
  return { mode: base.migrationMode, job: objectNames.migrationJob(base.name, hash), databaseHash: digest(databases) };
}

/** Returns a hash of bucket and credentials: the check runs again when they change. */
function checkHash(
  { references: { secrets, configMaps } }: ServerBase,
  { check, isWriteChecked: isChecked }: ServerModel["artifacts"],
  keyedHash: (text: string) => string,
): string | undefined {
  if (check === undefined || !isChecked) return undefined;
  const contents = check.sources.flatMap(({ kind, name }) =>
    Object.entries((kind === "Secret" ? secrets : configMaps).get(name)?.data ?? {}),
  );
  return keyedHash(JSON.stringify([check.fields, contents.sort()]));
}

function digest(identity: unknown): string {
  return createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 10);
}

import type { MlflowServer } from "../api/server.ts";
import { hasOwnClaim } from "../features/artifacts/index.ts";
import { referencesOf } from "../features/references.ts";
import { type ApiClient, find } from "../kube/client/api-client.ts";
import { decoded } from "../kube/data.ts";
import { isApiError } from "../kube/errors.ts";
import { resourcePath } from "../kube/kinds.ts";
import type { ConfigMap, Namespace, PersistentVolumeClaim, Secret } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { type RouteKind, routeKinds } from "../model/exposure.ts";
import type { Inputs, Installation, References } from "../model/inputs.ts";
import { dataKeys, objectNames } from "../model/names.ts";
import { workspacesOf } from "../model/workspaces.ts";
import { optionalKeys } from "../reconcile/session-keys.ts";
import { placeholderInputs } from "./placeholders.ts";

/** The inputs of the builders from a cluster, and what could not be read. */
export interface LiveInputs {
  readonly inputs: Inputs;
  /** Objects that do not exist, or that the user is not allowed to read, as sentences. Placeholders are used for them. */
  readonly notes: readonly string[];
}

/** Reads the inputs of a server with the user's own credentials. */
export async function liveInputs(
  client: ApiClient,
  server: MlflowServer,
  installation: Installation,
): Promise<LiveInputs> {
  const { name, namespace } = server.metadata;
  const placeholders = placeholderInputs(server, installation);
  const notes: string[] = [];

  async function read<T>(
    kind: "Secret" | "ConfigMap" | "PersistentVolumeClaim",
    object: string,
  ): Promise<T | undefined> {
    try {
      return await find<T>(client, resourcePath(kind, namespace, object));
    } catch (error) {
      if (!isApiError(error, 403)) throw error;
      notes.push(`You cannot read ${kind}/${object}: values that depend on it are not compared.`);
      return undefined;
    }
  }

  const references = await readReferences(server, placeholders.references, read, notes);
  const sessionName = server.spec.server?.sessionSecretRef?.name ?? objectNames.session(name);
  const session = await read<Secret>("Secret", sessionName);
  const admin = placeholders.generatedAdmin && (await read<Secret>("Secret", objectNames.admin(name)));
  const claim = hasOwnClaim(server.spec)
    ? await read<PersistentVolumeClaim>("PersistentVolumeClaim", objectNames.volumeClaim(name))
    : undefined;
  const stored = (secret: Secret | undefined, key: string, fallback: string) => decoded(secret?.data, key) ?? fallback;
  const { cookieSecret } = placeholders.session;
  const inputs: Inputs = {
    ...placeholders,
    references,
    session: {
      flaskSecretKey: stored(session, dataKeys.flaskSecretKey, placeholders.session.flaskSecretKey),
      kekPassphrase: stored(session, dataKeys.kekPassphrase, placeholders.session.kekPassphrase),
      webhookKey: stored(session, dataKeys.webhookKey, placeholders.session.webhookKey),
      ...optionalKeys(session?.data),
      ...(decoded(session?.data, dataKeys.cookieSecret) === undefined && cookieSecret === undefined
        ? {}
        : { cookieSecret: stored(session, dataKeys.cookieSecret, cookieSecret ?? "") }),
    },
    ...(placeholders.generatedAdmin && {
      generatedAdmin: {
        username: stored(admin, dataKeys.username, placeholders.generatedAdmin.username),
        password: stored(admin, dataKeys.password, placeholders.generatedAdmin.password),
      },
    }),
    ...(claim !== undefined && { volumeClaim: { uid: claim.metadata.uid } }),
    routes: await availableRoutes(client, namespace),
    workspaces: (await workspacesIn(client, server)) ?? placeholders.workspaces,
  };
  return { inputs, notes };
}

async function readReferences(
  server: MlflowServer,
  placeholders: References,
  read: <T>(kind: "Secret" | "ConfigMap", object: string) => Promise<T | undefined>,
  notes: string[],
): Promise<References> {
  const secrets = new Map(placeholders.secrets);
  const configMaps = new Map(placeholders.configMaps);
  const named = new Map(referencesOf(server.spec).map(({ kind, name }) => [`${kind}/${name}`, { kind, name }]));
  for (const { kind, name } of named.values()) {
    const before = notes.length;
    const object = kind === "Secret" ? await read<Secret>(kind, name) : await read<ConfigMap>(kind, name);
    if (object === undefined && notes.length === before) notes.push(`${kind}/${name} does not exist: create it.`);
    if (object === undefined) continue;
    if (kind === "Secret") secrets.set(name, { ...object, apiVersion: "v1", kind: "Secret" });
    else configMaps.set(name, { ...object, apiVersion: "v1", kind: "ConfigMap" });
  }
  return { secrets, configMaps };
}

/** The kinds of routes that the cluster has. */
async function availableRoutes(client: ApiClient, namespace: string): Promise<ReadonlySet<RouteKind>> {
  const found = await Promise.all(
    routeKinds.map(async (kind) => {
      try {
        await client.request({ method: "GET", path: resourcePath(kind, namespace), query: { limit: 1 } });
        return [kind];
      } catch (error) {
        return isApiError(error, 404) ? [] : [kind];
      }
    }),
  );
  return new Set(found.flat());
}

/** The workspaces of a server; undefined where the user is not allowed to list namespaces. */
async function workspacesIn(client: ApiClient, server: MlflowServer): Promise<readonly string[] | undefined> {
  const labelSelector = `${label.workspaceOf}=${server.metadata.namespace}`;
  try {
    const list = await client.request<{ items?: Namespace[] | null }>({
      method: "GET",
      path: "/api/v1/namespaces",
      query: { labelSelector },
    });
    return workspacesOf(server, list.items ?? []);
  } catch (error) {
    if (isApiError(error, 403)) return undefined;
    throw error;
  }
}

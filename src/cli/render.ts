import { checkedProxyImage, imageDigests } from "../api/images.ts";
import type { MlflowServer } from "../api/server.ts";
import { resolve } from "../features/resolve.ts";
import { messageOf } from "../kube/errors.ts";
import type { Kind } from "../kube/kinds.ts";
import type { Manifest } from "../kube/manifests.ts";
import { type KubeObject, objectText } from "../kube/object.ts";
import type { Installation, UserIDs } from "../model/inputs.ts";
import { objectNames } from "../model/names.ts";
import { invalidUrl } from "../reconcile/invalid-url.ts";
import { wantedIn } from "../reconcile/workspace/workspace-plan.ts";
import { desired } from "../resources/index.ts";
import { UsageError } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { type DocumentOptions, type Documents, documentsOf } from "./documents.ts";
import { requiredFilesOf } from "./files.ts";
import { offlineWorkspaces } from "./offline-workspaces.ts";
import { structured, table, yamlOf } from "./output.ts";
import { placeholderInputs, presentable } from "./placeholders.ts";

/** Settings of the operator that change what it applies. */
export interface InstallationOptions {
  readonly imageRepository: string;
  readonly imageDigests?: string;
  readonly proxyImage: string;
  readonly clusterDomain: string;
  readonly userIds?: UserIDs;
}

export interface RenderOptions extends DocumentOptions, InstallationOptions {
  readonly namespaces?: readonly string[];
  readonly summary?: boolean;
  readonly output?: "yaml" | "json" | "wide";
}

/** The command `render`. Only objects are printed to stdout. Exit code 1 where a document is rejected. */
export async function render(
  options: RenderOptions,
  args: readonly string[],
  { streams, now }: CommandContext,
): Promise<number> {
  const files = requiredFilesOf(options, args);
  const installation = installationOf(options);
  if (options.output === "wide" && !options.summary) throw new UsageError("-o wide is a table: add --summary");
  const { servers, accesses, locations, found, isFlawed } = await documentsOf(files, options, streams);
  const given = await documentsOf(options.namespaces ?? [], {}, streams);
  let isRejected = false;
  const objects: RenderedObject[] = [];
  for (const server of servers) {
    try {
      objects.push(...renderedObjects(server, installation));
    } catch (error) {
      isRejected = true;
      streams.stderr(`${locations.get(server)}: ${objectText(server)}: ${messageOf(error)}`);
    }
  }
  objects.push(...workspaceObjects({ servers, accesses, namespaces: given.namespaces }, now()));
  streams.stdout(textOf(objects, options));
  if (found === 0 && !isFlawed) {
    streams.stderr(`no MlflowServer in ${files.join(", ")}`);
    return 1;
  }
  return isFlawed || given.isFlawed || isRejected ? 1 : 0;
}

function textOf(objects: readonly RenderedObject[], { summary, output }: RenderOptions): string {
  if (summary) {
    const rows = objects.map(({ manifest: { kind, metadata }, purpose }) => ({
      kind,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      name: metadata.name,
      purpose,
    }));
    if (output === "yaml" || output === "json") return structured(rows, output);
    const isWide = output === "wide";
    const head = ["KIND", ...(isWide ? ["NAMESPACE"] : []), "NAME", "PURPOSE"];
    const cells = rows.map(({ kind, namespace = "", name, purpose }) => [
      kind,
      ...(isWide ? [namespace] : []),
      name,
      purpose,
    ]);
    return rows.length === 0 ? "" : table(head, cells);
  }
  if (output !== "json") return documentsText(objects);
  return structured({ apiVersion: "v1", kind: "List", items: objects.map(({ manifest }) => manifest) }, "json");
}

/** The settings of the operator that the options name. Throws a {@link UsageError} for wrong ones. */
export function installationOf(options: InstallationOptions): Installation {
  const { imageRepository, clusterDomain } = options;
  try {
    return {
      imageRepository,
      imageDigests: imageDigests("--image-digests", options.imageDigests),
      proxyImage: checkedProxyImage("--proxy-image", options.proxyImage),
      clusterDomain,
      userIDs: options.userIds,
    };
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/** An object that the operator would apply. */
export interface RenderedObject {
  readonly manifest: KubeObject;
  readonly purpose: string;
  /** A comment on it. */
  readonly note?: string;
}

/** What the operator would apply for a valid server. Throws where it would reject the spec. */
function renderedObjects(server: MlflowServer, installation: Installation): RenderedObject[] {
  const invalid = invalidUrl({ server });
  if (invalid !== undefined) throw new Error(invalid.message);
  try {
    return manifestsOf(server, installation).map((manifest) => ({
      manifest: presentable(manifest, server),
      purpose: purposeOf(manifest, server),
    }));
  } catch (error) {
    throw new Error(`cannot be rendered: ${messageOf(error)}`, { cause: error });
  }
}

/** The objects of a server, with a namespace and a uid. */
function manifestsOf(server: MlflowServer, installation: Installation): Manifest[] {
  const { uid = "00000000-0000-0000-0000-000000000000", namespace } = server.metadata;
  const complete = { ...server, metadata: { ...server.metadata, uid, namespace } };
  return Object.values(desired(resolve(placeholderInputs(complete, installation)))).flat();
}

/** What the operator would apply in workspaces, as far as these are known. */
function workspaceObjects(
  documents: Pick<Documents, "servers" | "accesses" | "namespaces">,
  now: Date,
): RenderedObject[] {
  return offlineWorkspaces(documents, now).flatMap((workspace) => {
    const { name } = workspace.namespace.metadata;
    const note = workspace.isAssumed && { note: `Namespace ${name} is assumed to have opted in as a workspace.` };
    const purpose = (manifest: Manifest) =>
      workspace.servers.map((server) => purposeOf(manifest, server)).find((text) => text !== "") ?? "";
    return wantedIn(workspace).map((manifest) => ({ manifest, purpose: purpose(manifest), ...note }));
  });
}

function documentsText(objects: readonly Pick<RenderedObject, "manifest" | "note">[]): string {
  return objects
    .map(({ manifest, note }) => `---\n${note === undefined ? "" : `# ${note}\n`}${yamlOf(manifest)}`)
    .join("");
}

/** The YAML documents of a valid server. */
export function rendered(server: MlflowServer, installation: Installation): string {
  return documentsText(
    manifestsOf(server, installation).map((manifest) => ({ manifest: presentable(manifest, server) })),
  );
}

/** The YAML documents of workspaces. */
export function renderedWorkspaces(
  documents: Pick<Documents, "servers" | "accesses" | "namespaces">,
  now: Date,
): string {
  return documentsText(workspaceObjects(documents, now));
}

/** Purposes by kind, for kinds of which a server has one object or that all have one purpose. */
const byKind: Partial<Record<Kind, string>> = {
  Deployment: "pods of MLflow, with oauth2-proxy where it is configured",
  Service: "address of the server in the cluster",
  ServiceAccount: "identity of the pods",
  NetworkPolicy: "allowed connections of the pods",
  PodDisruptionBudget: "keeps pods running while nodes are drained",
  HorizontalPodAutoscaler: "number of pods, by their CPU usage",
  CronJob: "deletes permanently what was deleted in MLflow",
  PersistentVolumeClaim: "volume of the SQLite database and the artifacts",
  Job: "checks and migrates the database before the pods start",
  Ingress: "route from outside the cluster",
  HTTPRoute: "route from outside the cluster",
  Gateway: "waypoint of the mesh for this server",
  ClusterRoleBinding: "permission of the pods to list workspaces",
  RoleBinding: "role in a workspace, as granted",
  ConfigMap: "settings for MLflow clients in a workspace",
};

/** Purposes by the name of an object, where a kind has several. */
const byName: readonly (readonly [kind: Kind, name: (server: string) => string, purpose: string])[] = [
  ["Secret", objectNames.session, "generated keys for sessions and stored secrets"],
  ["Secret", objectNames.admin, "generated password of the first administrator"],
  ["Secret", objectNames.store, "URI of the database, from the referenced Secret"],
  ["Secret", objectNames.authConfig, "configuration of the authentication, with the URI of its database"],
  ["ConfigMap", objectNames.waypoint, "settings of the waypoint's pods"],
  ["AuthorizationPolicy", objectNames.tracesPolicy, "allows only spec.traces.writers to write traces"],
  ["AuthorizationPolicy", objectNames.allowFromWaypoint, "allows requests from the waypoint"],
  ["AuthorizationPolicy", objectNames.denyBypass, "denies requests that bypass the waypoint"],
  ["AuthorizationPolicy", objectNames.sidecarPolicy, "allows only spec.traces.writers to write traces, in the sidecar"],
  ["AuthorizationPolicy", objectNames.allowWriters, "allows spec.traces.writers to use the listener for traces"],
  ["AuthorizationPolicy", objectNames.denyNonWriters, "denies all others the listener for traces"],
  ["Deployment", objectNames.listener, "pods of the listener for traces"],
  ["Service", objectNames.externalService, "address of the server outside the cluster"],
  ["Service", objectNames.listener, "address of the listener for traces"],
  ["ServiceAccount", objectNames.listener, "identity of the listener for traces"],
  ["NetworkPolicy", objectNames.listener, "allowed connections of the listener for traces"],
];

/** What an object of a server is for, in a few words. */
export function purposeOf({ kind, metadata: { name } }: KubeObject, { metadata: server }: MlflowServer): string {
  if (name === objectNames.reviewerBinding(server.namespace, server.name))
    return "permission of the pods to review access of users";
  const named = byName.find(([ofKind, nameOf]) => ofKind === kind && nameOf(server.name) === name);
  return named?.[2] ?? Object.entries(byKind).find(([of]) => of === kind)?.[1] ?? "";
}

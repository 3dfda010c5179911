import { imageDigests } from "../api/image-digests.ts";
import { checkedProxyImage } from "../api/proxy-version.ts";
import type { MlflowServer } from "../api/server.ts";
import { resolve } from "../features/resolve.ts";
import { messageOf } from "../kube/errors.ts";
import type { Manifest } from "../kube/manifests.ts";
import { type KubeObject, objectText } from "../kube/object.ts";
import type { Installation } from "../model/inputs.ts";
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
import { purposeOf } from "./purpose.ts";

/** Settings of the operator that change what it applies. */
export interface InstallationOptions {
  readonly imageRepository: string;
  readonly imageDigests?: string;
  readonly proxyImage: string;
  readonly clusterDomain: string;
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
  const { uid = "00000000-0000-0000-0000-000000000000", namespace = "default" } = server.metadata;
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
    const note = workspace.isAssumed && { note: `Namespace ${name} is taken as opted in as a workspace.` };
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

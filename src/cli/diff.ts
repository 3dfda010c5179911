import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MlflowServer } from "../api/server.ts";
import { isObject } from "../api/structure.ts";
import { resolve } from "../features/resolve.ts";
import { type ApiClient, find } from "../kube/client/api-client.ts";
import { isApiError, messageOf } from "../kube/errors.ts";
import { type Kind, kindsWith, resourcePath, rowOf } from "../kube/kinds.ts";
import type { Manifest } from "../kube/manifests.ts";
import { annotation, label, managedSelector, manager } from "../kube/names.ts";
import { isControlledBy, type KubeObject, objectText } from "../kube/object.ts";
import type { Installation } from "../model/inputs.ts";
import { objectNames } from "../model/names.ts";
import { desired } from "../resources/index.ts";
import { type ClusterOptions, withCluster } from "./cluster-access.ts";
import { UsageError } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { type DocumentOptions, documentsOf } from "./documents.ts";
import { requiredFilesOf } from "./files.ts";
import { liveInputs } from "./live-inputs.ts";
import { yamlOf } from "./output.ts";
import { type InstallationOptions, installationOf } from "./render.ts";

export interface DiffOptions extends DocumentOptions, ClusterOptions, InstallationOptions {}

/** Exit codes, as those of `kubectl diff`. */
const exitCode = { same: 0, different: 1, failed: 2 } as const;

/** An object before and after the operator would apply it; undefined where it does not exist. */
interface Change {
  readonly name: string;
  readonly live: object | undefined;
  readonly applied: object | undefined;
}

/** The command `diff`. */
export async function diff(options: DiffOptions, args: readonly string[], context: CommandContext): Promise<number> {
  const files = requiredFilesOf(options, args);
  const installation = installationOf(options);
  const { streams } = context;
  try {
    return await withCluster(options, context, async ({ client, namespace }) => {
      const { servers, isFlawed } = await documentsOf(files, { ...options, namespace }, streams);
      if (isFlawed) return exitCode.failed;
      if (servers.length === 0) throw new Error(`no MlflowServer in ${files.join(", ")}`);
      const changes: Change[] = [];
      for (const server of servers) changes.push(...(await changesOf(client, server, installation, context)));
      return await printed(changes, context);
    });
  } catch (error) {
    if (error instanceof UsageError) throw error;
    streams.stderr(`${context.name} diff: ${messageOf(error)}`);
    return exitCode.failed;
  }
}

async function changesOf(
  client: ApiClient,
  given: MlflowServer,
  installation: Installation,
  { streams }: CommandContext,
): Promise<Change[]> {
  const { name, namespace } = given.metadata;
  const live = await find<MlflowServer>(client, resourcePath("MlflowServer", namespace, name));
  const uid = live?.metadata.uid ?? "00000000-0000-0000-0000-000000000000";
  const server: MlflowServer = { ...given, metadata: { ...given.metadata, uid } };
  // The operator adds its own namespace to NetworkPolicies.
  const operatorNamespace = live?.status?.operator?.split("/")[0];
  const { inputs, notes } = await liveInputs(client, server, { ...installation, operatorNamespace });
  for (const note of notes) streams.stderr(`${objectText(server)}: ${note}`);
  const isExact = notes.length === 0;
  const manifests = Object.values(desired(resolve(inputs))).flat();
  const changes: Change[] = [];
  for (const manifest of manifests) {
    const path = resourcePath(manifest.kind, manifest.metadata.namespace, manifest.metadata.name);
    const before = await existing(client, path, manifest);
    // The pods of a Job are never changed, and a completed migration is not repeated.
    if (manifest.kind === "Job" && (before !== undefined || isMigrated(live, manifest.metadata.name))) continue;
    if (!isExact && manifest.kind === "Secret") continue;
    const after = await dryRun(client, path, isExact ? manifest : withLiveHash(manifest, before));
    const pair = comparable(before, after);
    changes.push({ name: fileName(manifest), ...pair });
  }
  return [...changes, ...(live === undefined ? [] : await obsolete(client, server, manifests))];
}

/** The object after server-side apply with the operator's field manager. Nothing is stored. */
async function dryRun(client: ApiClient, path: string, manifest: Manifest): Promise<KubeObject> {
  const applied = await client.request<KubeObject>({
    method: "PATCH",
    path,
    query: { dryRun: "All", fieldManager: manager, force: true },
    body: manifest,
    contentType: "application/apply-patch+yaml",
  });
  return { ...applied, apiVersion: manifest.apiVersion, kind: manifest.kind };
}

async function existing(
  client: ApiClient,
  path: string,
  { apiVersion, kind }: Manifest,
): Promise<KubeObject | undefined> {
  const object = await find<KubeObject>(client, path);
  return object && { ...object, apiVersion, kind };
}

function isMigrated(live: MlflowServer | undefined, job: string): boolean {
  const { job: recorded, phase } = live?.status?.migration ?? {};
  return recorded === job && phase === "Complete";
}

/** Without the content of all references their hash is unknown: the live one is taken. */
function withLiveHash(manifest: Manifest, live: KubeObject | undefined): Manifest {
  const text = JSON.stringify(live ?? {});
  const [, hash] = new RegExp(`"${annotation.inputs}":"([^"]*)"`).exec(text) ?? [];
  if (hash === undefined) return manifest;
  return JSON.parse(JSON.stringify(manifest, (key, value) => (key === annotation.inputs ? hash : value)));
}

/** Objects of the server that the operator would delete, since the spec no longer needs them. Generated Secrets and volumes are kept. */
async function obsolete(client: ApiClient, server: MlflowServer, wanted: readonly Manifest[]): Promise<Change[]> {
  const { name, namespace } = server.metadata;
  const stored = [objectNames.session(name), objectNames.admin(name)];
  const isKept = ({ kind, metadata }: KubeObject) =>
    wanted.some((manifest) => manifest.kind === kind && manifest.metadata.name === metadata.name) ||
    (kind === "Secret" && stored.includes(metadata.name));
  const changes: Change[] = [];
  for (const kind of kindsWith("owned")) {
    if (kind === "Job" || kind === "PersistentVolumeClaim" || rowOf(kind).scope === "Cluster") continue;
    const objects = await labelled(client, kind, namespace, name);
    const unneeded = objects.filter((object) => isControlledBy(object, server) && !isKept(object));
    changes.push(...unneeded.map((object) => ({ name: fileName(object), ...comparable(object, undefined) })));
  }
  return changes;
}

/** The objects of a kind with the labels of a server; none where the kind does not exist or cannot be listed. */
async function labelled(client: ApiClient, kind: Kind, namespace: string, server: string): Promise<KubeObject[]> {
  const labelSelector = `${managedSelector},${label.server}=${server}`;
  try {
    const list = await client.request<{ items?: KubeObject[] | null }>({
      method: "GET",
      path: resourcePath(kind, namespace),
      query: { labelSelector },
    });
    return (list.items ?? []).map((object) => ({ ...object, apiVersion: rowOf(kind).apiVersion, kind }));
  } catch (error) {
    if (isApiError(error, 403) || isApiError(error, 404)) return [];
    throw error;
  }
}

/** Group, version, kind, namespace and name, as the files of kubectl diff. */
function fileName({ apiVersion, kind, metadata: { namespace = "", name } }: KubeObject): string {
  return [...apiVersion.split("/"), kind, namespace, name].join(".");
}

/** Prints the differences by the program for them. */
async function printed(changes: readonly Change[], { streams, environment }: CommandContext): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-diff-"));
  try {
    const sides = { live: join(directory, "LIVE"), applied: join(directory, "MERGED") } as const;
    for (const side of ["live", "applied"] as const) {
      await mkdir(sides[side], { mode: 0o700 });
      for (const change of changes) {
        const object = change[side];
        if (object !== undefined) await writeFile(join(sides[side], change.name), yamlOf(object), { mode: 0o600 });
      }
    }
    const [program = "diff", ...args] = environment.externalDiff?.split(" ") ?? ["diff", "-u", "-N", "-r"];
    return await run(program, [...args, sides.live, sides.applied], streams.stdout);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The exit code of a program, whose output is passed on. */
function run(program: string, args: readonly string[], onOutput: (text: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.setEncoding("utf8").on("data", onOutput);
    child.on("error", (error) => reject(new Error(`${program} cannot be run: ${error.message}`, { cause: error })));
    child.on("close", (code) => resolve(code ?? exitCode.failed));
  });
}

/** Fields of metadata that the API server sets at each write. */
const volatile = ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"];

/**
 * A live object and the object after a dry run, as they are compared: without status and volatile metadata, and with the data of
 * Secrets masked, as kubectl diff does.
 */
export function comparable(
  live: KubeObject | undefined,
  applied: KubeObject | undefined,
): { readonly live: object | undefined; readonly applied: object | undefined } {
  const pair = { live: live && withoutVolatile(live), applied: applied && withoutVolatile(applied) };
  if ((live ?? applied)?.kind !== "Secret") return pair;
  return { live: masked(pair.live, pair.applied, "before"), applied: masked(pair.applied, pair.live, "after") };
}

function withoutVolatile(object: KubeObject): Record<string, unknown> {
  const { apiVersion, kind, metadata, ...rest } = object;
  const kept = Object.entries(metadata).filter(([key]) => !volatile.includes(key));
  const fields = Object.entries(rest).filter(([key]) => key !== "status");
  return { apiVersion, kind, metadata: Object.fromEntries(kept), ...Object.fromEntries(fields) };
}

function masked(
  object: Record<string, unknown> | undefined,
  other: Record<string, unknown> | undefined,
  when: "before" | "after",
): Record<string, unknown> | undefined {
  if (object === undefined) return undefined;
  const { data } = object;
  const others = isObject(other?.["data"]) ? other["data"] : {};
  if (!isObject(data)) return object;
  const text = (key: string, value: unknown) => (!(key in others) || others[key] === value ? "***" : `*** (${when})`);
  return { ...object, data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, text(key, value)])) };
}

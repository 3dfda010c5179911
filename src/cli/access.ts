import { allows, workspaceRoleNames } from "../kube/workspace-roles.ts";
import { accessRows, accessTable, type Row } from "./access-table.ts";
import { type ClusterOptions, rejectClusterOptions, withCluster } from "./cluster-access.ts";
import { UsageError } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { documentsOf } from "./documents.ts";
import { type FileOptions, filesOf } from "./files.ts";
import { offlineWorkspaces } from "./offline-workspaces.ts";
import { structured } from "./output.ts";
import { isAllowed, permissionRows } from "./server-access.ts";

export interface AccessOptions extends FileOptions, ClusterOptions {
  readonly output: "table" | "wide" | "yaml" | "json";
}

interface Access {
  readonly namespace: string;
  readonly rows: readonly Row[];
  /** A file could not be read or is wrong: it has been reported, and the rows may be incomplete. */
  readonly isFlawed: boolean;
}

/** The command `access`. */
export async function access(
  options: AccessOptions,
  files: readonly string[],
  context: CommandContext,
): Promise<number> {
  const found = await accessOf(options, files, context);
  print(found, options, context);
  return found.isFlawed ? 1 : 0;
}

/** The command `who-can`: exit code 1 where no grant allows it. */
export async function whoCan(
  options: AccessOptions,
  { verb, resource, name }: { readonly verb: string; readonly resource: string; readonly name: string | undefined },
  context: CommandContext,
): Promise<number> {
  if (!workspaceRoleNames.some((role) => allows(role, verb, resource)))
    throw new UsageError(`no role allows ${verb} on ${resource}: docs/workspaces.md lists what each role allows`);
  const found = await accessOf(options, [], context);
  const rows = found.rows.filter((row) =>
    "resources" in row ? isAllowed(row, verb, resource, name) : allows(row.role, verb, resource),
  );
  print({ ...found, rows }, options, context);
  return found.isFlawed || rows.length === 0 ? 1 : 0;
}

async function accessOf(options: AccessOptions, given: readonly string[], context: CommandContext): Promise<Access> {
  const files = filesOf(options, given);
  if (files.length === 0) {
    const { liveAccess } = await import("./live-workspace.ts");
    return withCluster(options, context, async ({ client, namespace }) => ({
      namespace,
      rows: await liveAccess(client, namespace, context.now()),
      isFlawed: false,
    }));
  }
  rejectClusterOptions(options);
  const { namespace } = options;
  if (namespace === undefined) throw new UsageError("name the namespace of the workspace with -n");
  const documents = await documentsOf(files, options, context.streams);
  const workspace = offlineWorkspaces(documents, context.now()).find(
    (each) => each.namespace.metadata.name === namespace,
  );
  if (workspace?.isAssumed)
    context.streams.stderr(`Namespace/${namespace} is not in the files: it is assumed to have opted in as a workspace`);
  const rows = workspace === undefined ? [] : accessRows(workspace);
  return {
    namespace,
    rows: [...rows, ...permissionRows(documents.servers, namespace)],
    isFlawed: documents.isFlawed,
  };
}

function print({ namespace, rows, isFlawed }: Access, { output }: AccessOptions, { streams }: CommandContext): void {
  if (output === "yaml" || output === "json") streams.stdout(structured({ namespace, access: rows }, output));
  else if (rows.length > 0) streams.stdout(accessTable(rows, output === "wide"));
  else if (!isFlawed) streams.stderr(`no access is granted in namespace ${namespace}`);
}

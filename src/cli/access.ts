import { parseArgs } from "node:util";
import { messageOf } from "../kube/message-of.ts";
import { allows, workspaceRoleNames } from "../kube/workspace-roles.ts";
import { type AccessRow, accessRows, accessTable } from "./access-table.ts";
import { documentsOf } from "./documents.ts";
import { offlineWorkspaces } from "./offline-workspaces.ts";
import type { Streams } from "./streams.ts";

export const accessHelp = `mlflow-operator access -n <namespace> (--kubeconfig <path> | -f <file> [-f <file> …])
mlflow-operator who-can <verb> <resource> -n <namespace> (--kubeconfig <path> | -f <file> [-f <file> …])

Prints who has which role in the workspace that a namespace is, and through which grant; or who may do something there, such as
\`who-can update experiments\`. From a cluster, with your own credentials and with RoleBindings that others made to the same
ClusterRoles; or from files (- is standard input) with MlflowServers, MlflowWorkspaceAccesses and Namespaces: a namespace that is
not among them is taken to consent. What groups contain, and rights by other roles, it does not know: for one person see
kubectl auth can-i.`;

/** The commands `access` and `who-can`. Returns the exit code: 1 where something could not be read, 2 for wrong usage. */
export async function access(
  command: "access" | "who-can",
  args: readonly string[],
  streams: Streams,
  version: string,
  now: Date,
): Promise<number> {
  let chosen: { namespace: string; files: readonly string[]; kubeconfig?: string; wanted?: Wanted };
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        filename: { type: "string", short: "f", multiple: true },
        namespace: { type: "string", short: "n" },
        kubeconfig: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) {
      streams.stdout(`${accessHelp}\n`);
      return 0;
    }
    const { namespace, kubeconfig, filename: files = [] } = values;
    if (namespace === undefined) throw new Error("name the namespace with -n");
    if ((kubeconfig === undefined) === (files.length === 0))
      throw new Error("name either files with -f, or a cluster with --kubeconfig");
    chosen = { namespace, files, ...(kubeconfig !== undefined && { kubeconfig }), ...wantedBy(command, positionals) };
  } catch (error) {
    streams.stderr(`mlflow-operator ${command}: ${messageOf(error)}\n\n${accessHelp}`);
    return 2;
  }
  const { namespace, files, kubeconfig, wanted } = chosen;
  let rows: readonly AccessRow[];
  let isFlawed = false;
  if (kubeconfig === undefined) {
    const documents = await documentsOf(files, streams);
    ({ isFlawed } = documents);
    const workspace = offlineWorkspaces(documents, now).find((each) => each.namespace.metadata.name === namespace);
    if (workspace?.isAssumed)
      streams.stderr(`namespace ${namespace} is not in the files: its consent is taken as given`);
    rows = workspace === undefined ? [] : accessRows(workspace);
  } else {
    try {
      const { liveAccess } = await import("./live-workspace.ts");
      rows = await liveAccess(kubeconfig, namespace, version, now);
    } catch (error) {
      streams.stderr(`mlflow-operator ${command}: ${messageOf(error)}`);
      return 1;
    }
  }
  const meant = wanted === undefined ? rows : rows.filter(({ role }) => allows(role, wanted.verb, wanted.resource));
  if (meant.length > 0) streams.stdout(accessTable(meant));
  else if (!isFlawed) streams.stderr(`nobody by a grant in namespace ${namespace}`);
  return isFlawed ? 1 : 0;
}

interface Wanted {
  readonly verb: string;
  readonly resource: string;
}

function wantedBy(command: "access" | "who-can", words: readonly string[]): { wanted?: Wanted } {
  if (command === "access") {
    if (words.length > 0) throw new Error(`what is ${words.join(" ")}? It takes options only`);
    return {};
  }
  const [verb, resource, ...more] = words;
  if (verb === undefined || resource === undefined || more.length > 0)
    throw new Error("say what: a verb and a resource, such as update experiments");
  if (!workspaceRoleNames.some((role) => allows(role, verb, resource)))
    throw new Error(`no role allows ${verb} on ${resource}: docs/workspaces.md says what they allow`);
  return { wanted: { verb, resource } };
}

import { parseArgs } from "node:util";
import { dump } from "js-yaml";
import { imageDigests } from "../api/image-digests.ts";
import { checkedProxyImage, defaultProxyImage } from "../api/proxy-version.ts";
import type { MlflowServer } from "../api/server.ts";
import { messageOf } from "../kube/message-of.ts";
import { objectText } from "../kube/object.ts";
import { invalidUrl } from "../reconcile/invalid-url.ts";
import { wantedIn } from "../reconcile/workspace/workspace-plan.ts";
import { desired } from "../resources/index.ts";
import type { Installation } from "../resources/inputs.ts";
import { type Documents, documentsOf } from "./documents.ts";
import { offlineWorkspaces } from "./offline-workspaces.ts";
import { placeholderInputs, presentable } from "./placeholders.ts";
import type { Streams } from "./streams.ts";

export const renderHelp = `mlflow-operator render -f <file> [-f <file> …] [--image-repository <name>] [--image-digests <3.17.2=sha256:…>] [--proxy-image <image>]
                       [--cluster-domain <domain>] [--namespaces <file>]

Prints, as YAML documents, what the operator would apply for each MlflowServer of the files (- is standard input), without
a cluster. The database migration is taken as complete; generated secrets, what comes from Secrets, and hashes of them are
placeholders. What is granted in workspaces is shown for namespaces that a grant names or a MlflowWorkspaceAccess is in, whose
consent is taken as given; and for those of --namespaces (kubectl get namespaces -o yaml, or manifests), as they are labelled. Other
kinds are passed over. What the API would refuse is reported on stderr, and the exit code is then 1.`;

/** The command `render`. Only documents go to stdout. Returns the exit code: 1 for a refused server, 2 for wrong usage. */
export async function render(args: readonly string[], streams: Streams): Promise<number> {
  let chosen: { files: string[]; namespaces: string[]; installation: Installation };
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        filename: { type: "string", short: "f", multiple: true },
        namespaces: { type: "string", multiple: true },
        "image-repository": { type: "string", default: "ghcr.io/mlflow-operator/mlflow-server" },
        "image-digests": { type: "string" },
        "proxy-image": { type: "string", default: defaultProxyImage },
        "cluster-domain": { type: "string", default: "cluster.local" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) {
      streams.stdout(`${renderHelp}\n`);
      return 0;
    }
    if (values.filename === undefined) throw new Error("name a file with -f, or - for standard input");
    chosen = {
      files: values.filename,
      namespaces: values.namespaces ?? [],
      installation: {
        imageRepository: values["image-repository"],
        imageDigests: imageDigests("--image-digests", values["image-digests"]),
        proxyImage: checkedProxyImage("--proxy-image", values["proxy-image"]),
        clusterDomain: values["cluster-domain"],
      },
    };
  } catch (error) {
    streams.stderr(`mlflow-operator render: ${messageOf(error)}\n\n${renderHelp}`);
    return 2;
  }
  const { servers, accesses, found, isFlawed } = await documentsOf(chosen.files, streams);
  const given = await documentsOf(chosen.namespaces, streams);
  let isBroken = false;
  for (const server of servers) {
    const problem = printed(server, chosen.installation, streams);
    if (problem === undefined) continue;
    isBroken = true;
    streams.stderr(`${objectText(server)}: ${problem}`);
  }
  const { namespaces } = given;
  streams.stdout(renderedWorkspaces({ servers, accesses, namespaces }, new Date()));
  if (servers.length === 0 && found === 0 && !isFlawed) {
    streams.stderr(`no MlflowServer in ${chosen.files.join(", ")}`);
    return 1;
  }
  return isFlawed || given.isFlawed || isBroken ? 1 : 0;
}

/** Prints what a server has; returns why it cannot be rendered. */
function printed(server: MlflowServer, installation: Installation, { stdout }: Streams): string | undefined {
  const invalid = invalidUrl({ server });
  if (invalid !== undefined) return invalid.message;
  try {
    stdout(rendered(server, installation));
    return undefined;
  } catch (error) {
    return `cannot be rendered: ${messageOf(error)}`;
  }
}

/** The YAML documents of what servers and accesses have in workspaces, as far as these are known. */
export function renderedWorkspaces(
  documents: Pick<Documents, "servers" | "accesses" | "namespaces">,
  now: Date,
): string {
  return offlineWorkspaces(documents, now)
    .flatMap((workspace) => {
      const { name } = workspace.namespace.metadata;
      const note = workspace.isAssumed ? `# The consent of namespace ${name} is taken as given.\n` : "";
      return wantedIn(workspace).map((manifest) => `---\n${note}${dump(manifest, { lineWidth: -1, noRefs: true })}`);
    })
    .join("");
}

/** The YAML documents of a valid server. */
export function rendered(server: MlflowServer, installation: Installation): string {
  const { uid = "00000000-0000-0000-0000-000000000000", namespace = "default" } = server.metadata;
  const placed = { ...server, metadata: { ...server.metadata, uid, namespace } };
  const manifests = Object.values(desired(placeholderInputs(placed, installation))).flat();
  return manifests
    .map((manifest) => `---\n${dump(presentable(manifest, server), { lineWidth: -1, noRefs: true })}`)
    .join("");
}

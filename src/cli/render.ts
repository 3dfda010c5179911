import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { dump, loadAll } from "js-yaml";
import { imageDigests } from "../api/image-digests.ts";
import { checkedProxyImage, defaultProxyImage } from "../api/proxy-version.ts";
import type { MlflowServer } from "../api/server.ts";
import { validate } from "../api/validation.ts";
import { desired } from "../resources/index.ts";
import type { Installation } from "../resources/inputs.ts";
import { placeholderInputs, presentable } from "./placeholders.ts";

export const renderHelp = `mlflow-operator render -f <file> [-f <file> …] [--image-repository <name>] [--image-digests <3.17.2=sha256:…>] [--proxy-image <image>]
                       [--cluster-domain <domain>]

Prints, as YAML documents, what the operator would apply for each MlflowServer of the files (- is standard input), without
a cluster. The database migration is taken as complete; generated secrets, what comes from Secrets, and hashes of them are
placeholders. Namespaces are taken to consent to be workspaces. Other kinds in the files are passed over. A server that the API would refuse is reported on stderr, and the
exit code is then 1.`;

/** Where a command reads and writes. */
export interface Streams {
  readonly stdin: () => Promise<string>;
  readonly stdout: (text: string) => void;
  /** One message. */
  readonly stderr: (line: string) => void;
}

/** The command `render`. Only documents go to stdout. Returns the exit code: 1 for a refused server, 2 for wrong usage. */
export async function render(args: readonly string[], streams: Streams): Promise<number> {
  let chosen: { files: string[]; installation: Installation };
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        filename: { type: "string", short: "f", multiple: true },
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
  let exitCode = 0;
  let found = 0;
  for (const file of chosen.files) {
    try {
      for (const document of loadAll(file === "-" ? await streams.stdin() : await readFile(file, "utf8"))) {
        if (!isServer(document)) continue;
        found += 1;
        exitCode = Math.max(exitCode, renderOne(file, document, chosen.installation, streams));
      }
    } catch (error) {
      streams.stderr(`${file}: ${messageOf(error)}`);
      exitCode = 1;
    }
  }
  if (found === 0 && exitCode === 0) {
    streams.stderr(`no MlflowServer in ${chosen.files.join(", ")}`);
    return 1;
  }
  return exitCode;
}

function renderOne(file: string, document: object, installation: Installation, streams: Streams): number {
  const result = validate(document);
  if ("problems" in result) {
    for (const problem of result.problems) streams.stderr(`${file}: ${nameOf(document)}: ${problem}`);
    return 1;
  }
  streams.stdout(rendered(result.server, installation));
  return 0;
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

function isServer(document: unknown): document is object {
  return typeof document === "object" && document !== null && "kind" in document && document.kind === "MlflowServer";
}

function nameOf(document: object): string {
  const metadata = "metadata" in document ? document.metadata : undefined;
  const name = typeof metadata === "object" && metadata !== null && "name" in metadata ? metadata.name : undefined;
  return `MlflowServer/${typeof name === "string" ? name : "(without a name)"}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

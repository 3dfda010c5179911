import { readFile } from "node:fs/promises";
import { loadAll } from "js-yaml";
import type { MlflowServer } from "../api/server.ts";
import { validate, validateAccess } from "../api/validation.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import type { Namespace } from "../kube/manifests.ts";
import { messageOf } from "../kube/message-of.ts";
import type { Streams } from "./streams.ts";

/** What the files of a command have, as far as the API would take it. */
export interface Documents {
  readonly servers: readonly MlflowServer[];
  readonly accesses: readonly MlflowWorkspaceAccess[];
  readonly namespaces: readonly Namespace[];
  /** How many MlflowServers and MlflowWorkspaceAccesses there are, right or wrong. */
  readonly found: number;
  /** Something could not be read, or would be refused: it has been reported. */
  readonly isFlawed: boolean;
}

/**
 * Reads the documents of files (- is standard input); what is wrong with them goes to stderr. Other kinds are passed over. What
 * names no namespace is in `namespace`.
 */
export async function documentsOf(
  files: readonly string[],
  streams: Streams,
  namespace = "default",
): Promise<Documents> {
  const servers: MlflowServer[] = [];
  const accesses: MlflowWorkspaceAccess[] = [];
  const namespaces: Namespace[] = [];
  let found = 0;
  let isFlawed = false;
  const refused = (file: string, document: object, kind: string, problems: readonly string[]) => {
    isFlawed = true;
    for (const problem of problems) streams.stderr(`${file}: ${kind}/${nameOf(document)}: ${problem}`);
  };
  for (const file of files) {
    try {
      const text = file === "-" ? await streams.stdin() : await readFile(file, "utf8");
      for (const document of loadAll(text).flatMap(itemsOf)) {
        const kind = kindOf(document);
        if (kind === "Namespace" && isNamespace(document)) namespaces.push(document);
        if (typeof document !== "object" || document === null) continue;
        if (kind === "MlflowServer") {
          found += 1;
          const result = validate(document);
          if ("server" in result) servers.push(placed(result.server, namespace));
          else refused(file, document, kind, result.problems);
        }
        if (kind === "MlflowWorkspaceAccess") {
          found += 1;
          const result = validateAccess(document);
          if ("access" in result) accesses.push(placed(result.access, namespace));
          else refused(file, document, kind, result.problems);
        }
      }
    } catch (error) {
      streams.stderr(`${file}: ${isOfFolder(error) ? "this is a folder: name the files in it" : messageOf(error)}`);
      isFlawed = true;
    }
  }
  return { servers, accesses, namespaces, found, isFlawed };
}

function isOfFolder(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EISDIR";
}

/** The items of a list, as `kubectl get -o yaml` writes it. */
function itemsOf(document: unknown): readonly unknown[] {
  if (kindOf(document) !== "List" || typeof document !== "object" || document === null) return [document];
  return "items" in document && Array.isArray(document.items) ? document.items : [];
}

function placed<T extends MlflowServer | MlflowWorkspaceAccess>(object: T, namespace: string): T {
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } };
}

function kindOf(document: unknown): string | undefined {
  if (typeof document !== "object" || document === null || !("kind" in document)) return undefined;
  return typeof document.kind === "string" ? document.kind : undefined;
}

function isNamespace(document: unknown): document is Namespace {
  return typeof document === "object" && document !== null && "metadata" in document && nameOf(document) !== unnamed;
}

const unnamed = "(without a name)";

function nameOf(document: object): string {
  const metadata = "metadata" in document ? document.metadata : undefined;
  const name = typeof metadata === "object" && metadata !== null && "name" in metadata ? metadata.name : undefined;
  return typeof name === "string" ? name : unnamed;
}

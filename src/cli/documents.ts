import type { MlflowServer } from "../api/server.ts";
import { validate, validateAccess } from "../api/validation.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import type { Namespace } from "../kube/manifests.ts";
import { type FileOptions, readFiles } from "./files.ts";
import { lineOfField } from "./positions.ts";
import { parsedDocuments, type SourceDocument } from "./source-document.ts";
import type { Streams } from "./streams.ts";

/** Options of a command that reads documents. */
export interface DocumentOptions extends FileOptions {
  /** The namespace of documents that name none. Default: `default`. */
  readonly namespace?: string;
}

/** A reason why a file or a document of it is rejected. */
export interface DocumentProblem {
  readonly file: string;
  /** Unknown where the file cannot be read. */
  readonly line?: number;
  /** Such as `MlflowServer/mlflow`. */
  readonly object?: string;
  readonly message: string;
}

/** The valid documents of files, and the problems of the others. */
export interface Documents {
  readonly servers: readonly MlflowServer[];
  readonly accesses: readonly MlflowWorkspaceAccess[];
  readonly namespaces: readonly Namespace[];
  readonly problems: readonly DocumentProblem[];
  /** The number of MlflowServers and MlflowWorkspaceAccesses, valid or not. */
  readonly found: number;
  /** The number of other documents. */
  readonly skipped: number;
}

/** Reads the documents of files and directories; - is standard input. Documents of other kinds are skipped. */
export async function readDocuments(
  files: readonly string[],
  options: DocumentOptions,
  streams: Streams,
): Promise<Documents> {
  const servers: MlflowServer[] = [];
  const accesses: MlflowWorkspaceAccess[] = [];
  const namespaces: Namespace[] = [];
  const problems: DocumentProblem[] = [];
  let found = 0;
  let skipped = 0;

  function reject(source: SourceDocument, kind: string, messages: readonly string[]): void {
    const object = `${kind}/${nameOf(source.document)}`;
    for (const message of messages)
      problems.push({ file: source.file, line: lineOfField(source.position, fieldOf(message)), object, message });
  }

  const { namespace = "default" } = options;
  for (const file of await readFiles(files, options, streams)) {
    const parsed = "error" in file ? { error: file.error } : parsedDocuments(file.name, file.text);
    if ("error" in parsed) {
      problems.push({ file: file.name, ...("line" in parsed && { line: parsed.line }), message: parsed.error });
      continue;
    }
    for (const source of parsed.documents) {
      const { document } = source;
      const kind = kindOf(document);
      if (kind === "MlflowServer") {
        found++;
        const result = validate(document);
        if ("server" in result) servers.push(withNamespace(result.server, namespace));
        else reject(source, kind, result.problems);
      } else if (kind === "MlflowWorkspaceAccess") {
        found++;
        const result = validateAccess(document);
        if ("access" in result) accesses.push(withNamespace(result.access, namespace));
        else reject(source, kind, result.problems);
      } else {
        skipped++;
        if (kind === "Namespace" && isNamespace(document)) namespaces.push(document);
      }
    }
  }
  return { servers, accesses, namespaces, problems, found, skipped };
}

/** {@link readDocuments}, with the problems on stderr. */
export async function documentsOf(
  files: readonly string[],
  options: DocumentOptions,
  streams: Streams,
): Promise<Documents & { readonly isFlawed: boolean }> {
  const documents = await readDocuments(files, options, streams);
  for (const problem of documents.problems) streams.stderr(problemText(problem));
  return { ...documents, isFlawed: documents.problems.length > 0 };
}

/** `mlflow.yaml:12: MlflowServer/mlflow: spec.version: …` */
export function problemText({ file, line, object, message }: DocumentProblem): string {
  return [line === undefined ? file : `${file}:${line}`, ...(object === undefined ? [] : [object]), message].join(": ");
}

/** The field that a message of the validation begins with, or quotes as unknown. */
function fieldOf(message: string): string {
  const [, unknown] = /^unknown field "((?:[^"\\]|\\.)*)"/.exec(message) ?? [];
  return unknown ?? /^((?:[^:[]|\[[^\]]*\])*): /.exec(message)?.[1] ?? "";
}

function withNamespace<T extends MlflowServer | MlflowWorkspaceAccess>(object: T, namespace: string): T {
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } };
}

function kindOf(document: unknown): string | undefined {
  if (typeof document !== "object" || document === null || !("kind" in document)) return undefined;
  return typeof document.kind === "string" ? document.kind : undefined;
}

function isNamespace(document: unknown): document is Namespace {
  return typeof document === "object" && document !== null && "metadata" in document && nameOf(document) !== unnamed;
}

const unnamed = "(no name)";

function nameOf(document: unknown): string {
  if (typeof document !== "object" || document === null) return unnamed;
  const metadata = "metadata" in document ? document.metadata : undefined;
  const name = typeof metadata === "object" && metadata !== null && "name" in metadata ? metadata.name : undefined;
  return typeof name === "string" ? name : unnamed;
}

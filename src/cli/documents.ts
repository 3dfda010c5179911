import type { MlflowBackup } from "../api/backup.ts";
import type { MlflowBackupSchedule } from "../api/backup-schedule.ts";
import { type Identity, identityOf } from "../api/identity.ts";
import { problemTexts } from "../api/problem-text.ts";
import { apiVersion, type MlflowServer } from "../api/server.ts";
import { isObject } from "../api/structure.ts";
import { validators } from "../api/validation.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import type { Namespace } from "../kube/manifests.ts";
import type { Streams } from "./context.ts";
import { type FileOptions, readFiles, type SourceFile } from "./files.ts";
import { lineOfField, textOfField } from "./positions.ts";
import { parsedDocuments, type SourceDocument, templateMessage } from "./source-document.ts";

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
  readonly backups: readonly MlflowBackup[];
  readonly backupSchedules: readonly MlflowBackupSchedule[];
  readonly namespaces: readonly Namespace[];
  readonly problems: readonly DocumentProblem[];
  /** The file and line of each server and access. */
  readonly locations: ReadonlyMap<MlflowServer | MlflowWorkspaceAccess, string>;
  /** The number of objects of this operator, valid or not. */
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
  const found = new FoundDocuments(options.namespace);
  for (const file of await readFiles(files, options, streams)) found.addFile(file);
  return found;
}

/** The documents that have been read. */
class FoundDocuments implements Documents {
  readonly servers: MlflowServer[] = [];
  readonly accesses: MlflowWorkspaceAccess[] = [];
  readonly backups: MlflowBackup[] = [];
  readonly backupSchedules: MlflowBackupSchedule[] = [];
  readonly namespaces: Namespace[] = [];
  readonly problems: DocumentProblem[] = [];
  readonly locations = new Map<MlflowServer | MlflowWorkspaceAccess, string>();
  found = 0;
  skipped = 0;
  readonly #namespace: string | undefined;

  /** `namespace` is that of documents that name none. */
  constructor(namespace: string | undefined) {
    this.#namespace = namespace;
  }

  addFile(file: SourceFile): void {
    if ("error" in file) return void this.problems.push({ file: file.name, message: file.error });
    const parsed = parsedDocuments(file.name, file.text);
    if ("documents" in parsed) for (const source of parsed.documents) this.#add(file.name, source);
    // A directory can hold charts and other files that are no manifests.
    else if (file.isOfDirectory && !ownText.test(file.text)) this.skipped++;
    else this.problems.push({ file: file.name, ...("line" in parsed && { line: parsed.line }), message: parsed.error });
  }

  #add(file: string, source: SourceDocument): void {
    const { document, position } = source;
    const identity = identityOf(document);
    if (identity === "other") {
      this.skipped++;
      if (isNamespace(document)) this.namespaces.push(document);
      return;
    }
    this.found++;
    if ("problem" in identity) return void this.problems.push({ file, line: position.line, message: identity.problem });
    const object = `${identity.kind}/${nameOf(document)}`;
    const { template } = source;
    if (template === undefined) this.#addOwn({ file, source, object, identity });
    else this.problems.push({ file, line: template.line, object, message: templateMessage(template) });
  }

  /** Adds a document of this operator, or the reasons why it is rejected. */
  #addOwn({ file, source: { document, position }, object, identity }: OwnDocument): void {
    const { kind } = identity;
    const corrected = { ...(isObject(document) && document), apiVersion, kind };
    const result = validators[kind](corrected, this.#namespace);
    const sourceText = (path: string) => textOfField(position, path);
    const rejected = "fields" in result ? problemTexts(result.fields, { ...result, document, sourceText }) : [];
    const located = [...identity.problems, ...rejected].map(({ field, text }) => ({
      file,
      line: lineOfField(position, field),
      object,
      message: text,
    }));
    this.problems.push(...located.sort((a, b) => a.line - b.line));
    if (identity.problems.length > 0) return;
    const location = `${file}:${position.line}`;
    if ("server" in result) {
      this.locations.set(result.server, location);
      this.servers.push(result.server);
    }
    if ("access" in result) {
      this.locations.set(result.access, location);
      this.accesses.push(result.access);
    }
    if ("backup" in result) this.backups.push(result.backup);
    if ("backupSchedule" in result) this.backupSchedules.push(result.backupSchedule);
  }
}

interface OwnDocument {
  readonly file: string;
  readonly source: SourceDocument;
  /** Kind and name, in messages. */
  readonly object: string;
  readonly identity: Identity;
}

/** Matches a file for this operator. */
const ownText = /^kind: *ml-?flow-?(server|workspaceaccess|backup|backupschedule)\b/im;

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

function isNamespace(document: unknown): document is Namespace {
  return isObject(document) && document["kind"] === "Namespace" && nameOf(document) !== unnamed;
}

const unnamed = "(no name)";

function nameOf(document: unknown): string {
  const metadata = isObject(document) ? document["metadata"] : undefined;
  const name = isObject(metadata) ? metadata["name"] : undefined;
  return typeof name === "string" ? name : unnamed;
}

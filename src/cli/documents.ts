import type { MlflowBackup } from "../api/backup.ts";
import type { MlflowBackupSchedule } from "../api/backup-schedule.ts";
import { identityOf } from "../api/identity.ts";
import { problemTexts } from "../api/problem-text.ts";
import { apiVersion, type MlflowServer } from "../api/server.ts";
import { isObject } from "../api/structure.ts";
import { validators } from "../api/validation.ts";
import type { MlflowWorkspaceAccess } from "../api/workspace-access.ts";
import type { Namespace } from "../kube/manifests.ts";
import type { Streams } from "./context.ts";
import { type FileOptions, readFiles } from "./files.ts";
import { lineOfField, textOfField } from "./positions.ts";
import { parsedDocuments, templateMessage } from "./source-document.ts";

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
  const servers: MlflowServer[] = [];
  const accesses: MlflowWorkspaceAccess[] = [];
  const backups: MlflowBackup[] = [];
  const backupSchedules: MlflowBackupSchedule[] = [];
  const namespaces: Namespace[] = [];
  const problems: DocumentProblem[] = [];
  const locations = new Map<MlflowServer | MlflowWorkspaceAccess, string>();
  let found = 0;
  let skipped = 0;

  for (const file of await readFiles(files, options, streams)) {
    if ("error" in file) {
      problems.push({ file: file.name, message: file.error });
      continue;
    }
    const parsed = parsedDocuments(file.name, file.text);
    if ("error" in parsed) {
      // A directory can hold charts and other files that are no manifests.
      if (file.isOfDirectory && !ownText.test(file.text)) skipped++;
      else problems.push({ file: file.name, ...("line" in parsed && { line: parsed.line }), message: parsed.error });
      continue;
    }
    for (const source of parsed.documents) {
      const { document, position } = source;
      const identity = identityOf(document);
      if (identity === "other") {
        skipped++;
        if (isNamespace(document)) namespaces.push(document);
        continue;
      }
      found++;
      if ("problem" in identity) {
        problems.push({ file: file.name, line: position.line, message: identity.problem });
        continue;
      }
      const { kind } = identity;
      const object = `${kind}/${nameOf(document)}`;
      if (source.template !== undefined) {
        const { line } = source.template;
        problems.push({ file: file.name, line, object, message: templateMessage(source.template) });
        continue;
      }
      const corrected = { ...(isObject(document) && document), apiVersion, kind };
      const result = validators[kind](corrected, options.namespace);
      const sourceText = (path: string) => textOfField(position, path);
      const rejected = "fields" in result ? problemTexts(result.fields, { ...result, document, sourceText }) : [];
      const located = [...identity.problems, ...rejected].map(({ field, text }) => ({
        file: file.name,
        line: lineOfField(position, field),
        object,
        message: text,
      }));
      problems.push(...located.sort((a, b) => a.line - b.line));
      if (identity.problems.length > 0) continue;
      const location = `${file.name}:${position.line}`;
      if ("server" in result) {
        locations.set(result.server, location);
        servers.push(result.server);
      }
      if ("access" in result) {
        locations.set(result.access, location);
        accesses.push(result.access);
      }
      if ("backup" in result) backups.push(result.backup);
      if ("backupSchedule" in result) backupSchedules.push(result.backupSchedule);
    }
  }
  return { servers, accesses, backups, backupSchedules, namespaces, problems, locations, found, skipped };
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

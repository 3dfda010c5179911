import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../kube/errors.ts";
import { UsageError } from "./command.ts";
import type { Streams } from "./context.ts";

/** Options that name files. */
export interface FileOptions {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
}

/** A file that was read, or the reason why it was not. */
export type SourceFile =
  | {
      readonly name: string;
      readonly text: string;
      /** It is one of the files of a directory. */
      readonly isOfDirectory: boolean;
    }
  | { readonly name: string; readonly error: string };

/** The files of `-f` and of the arguments. */
export function filesOf({ filename = [] }: FileOptions, args: readonly string[]): readonly string[] {
  return [...filename, ...args];
}

/** {@link filesOf}, for commands that need one. */
export function requiredFilesOf(options: FileOptions, args: readonly string[]): readonly string[] {
  const files = filesOf(options, args);
  if (files.length === 0) throw new UsageError("name a file or a directory, or - for standard input");
  return files;
}

/** Reads files, the manifests of directories, and standard input (-). */
export async function readFiles(
  paths: readonly string[],
  { recursive = false }: FileOptions,
  streams: Streams,
): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const path of new Set(paths)) {
    if (path === "-") {
      files.push({ name: "standard input", text: await streams.stdin(), isOfDirectory: false });
      continue;
    }
    try {
      const isDirectory = (await stat(path)).isDirectory();
      const found = isDirectory ? await manifestsIn(path, recursive) : [path];
      if (found.length === 0) files.push({ name: path, error: noManifests(recursive) });
      for (const file of found)
        files.push({ name: file, text: await readFile(file, "utf8"), isOfDirectory: isDirectory });
    } catch (error) {
      files.push({ name: path, error: readError(error) });
    }
  }
  return files;
}

/** As kubectl: files that end with .json, .yaml or .yml. */
async function manifestsIn(directory: string, recursive: boolean): Promise<string[]> {
  const entries = await readdir(directory, { recursive, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory() && /\.(json|ya?ml)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function noManifests(recursive: boolean): string {
  const hint = recursive ? "" : "; for its subdirectories add --recursive";
  return `the directory has no file that ends with .json, .yaml or .yml${hint}`;
}

function readError(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT") return "no such file or directory";
  const [reason = ""] = messageOf(error).split(",");
  return reason;
}

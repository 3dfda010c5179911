import type { CommandContext } from "./context.ts";
import { type DocumentOptions, problemText, readDocuments } from "./documents.ts";
import { requiredFilesOf } from "./files.ts";
import { structured } from "./output.ts";

export interface ValidateOptions extends DocumentOptions {
  readonly output: "text" | "json" | "yaml";
}

/** The command `validate`. Exit code 1 where there are problems, or no document of this operator. */
export async function validateFiles(
  options: ValidateOptions,
  args: readonly string[],
  { streams }: CommandContext,
): Promise<number> {
  const files = requiredFilesOf(options, args);
  const { servers, accesses, backups, backupSchedules, problems, found, skipped } = await readDocuments(
    files,
    options,
    streams,
  );
  const valid = servers.length + accesses.length + backups.length + backupSchedules.length;
  if (options.output === "text") {
    for (const problem of problems) streams.stdout(`${problemText(problem)}\n`);
    streams.stderr(
      `${valid} valid, ${found - valid} invalid, ${counted(problems.length, "problem")}; ${counted(skipped, "other document")} skipped`,
    );
  } else streams.stdout(structured({ valid, invalid: found - valid, skipped, problems }, options.output));
  if (found === 0 && problems.length === 0)
    streams.stderr(
      `no MlflowServer, MlflowWorkspaceAccess, MlflowBackup or MlflowBackupSchedule in ${files.join(", ")}`,
    );
  return problems.length > 0 || found === 0 ? 1 : 0;
}

function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

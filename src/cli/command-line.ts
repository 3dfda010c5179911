import { CommanderError } from "commander";
import { messageOf } from "../kube/errors.ts";
import { UsageError } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { program } from "./program.ts";

/** Runs the command of the arguments. Returns the exit code: 2 for wrong usage, otherwise that of the command. */
export async function runCommandLine(args: readonly string[], context: CommandContext): Promise<number> {
  const { command, result } = program(context);
  if (args.length === 0) {
    command.outputHelp();
    return 0;
  }
  try {
    await command.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const name = error instanceof UsageError && error.command !== undefined ? error.command : result.name;
    const hint = error instanceof UsageError ? ` See '${name} --help'.` : "";
    context.streams.stderr(`${name}: ${sentence(messageOf(error), hint)}${hint}`);
    return error instanceof UsageError ? 2 : 1;
  }
  return result.code;
}

/** The message, with a full stop where another sentence follows. */
function sentence(message: string, next: string): string {
  return next === "" || /[.?]$/.test(message) ? message : `${message}.`;
}

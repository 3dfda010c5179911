import type { Command } from "commander";
import { type CommandResult, Commands } from "./commands.ts";
import type { CommandContext } from "./context.ts";
import { addConvert } from "./convert-command.ts";
import { addManifestCommands } from "./manifest-commands.ts";
import { addServerCommands } from "./server-commands.ts";
import { addUtilityCommands } from "./utility-commands.ts";

/**
 * The tree of commands with options, help texts and actions. Help, completion and docs/cli.md come from it. An action loads its own
 * modules: `run` needs none of them.
 */
export function program(context: CommandContext): { readonly command: Command; readonly result: CommandResult } {
  const commands = new Commands(context);
  const run = commands.add(
    "run",
    "Runs the operator. Each option can also be an environment variable: MLFLOW_OPERATOR_WORKERS for --workers.",
  );
  context.operator.addOptions(run);
  commands.action(run, context.operator.run);
  addManifestCommands(commands, context);
  addServerCommands(commands, context);
  addConvert(commands, context);
  addUtilityCommands(commands, context);
  return { command: commands.root, result: commands.result };
}

import type { Command, OptionValues } from "commander";
import { CliCommand, fullName } from "./command.ts";
import type { CommandContext } from "./context.ts";

/** What the command that ran has returned, and its name. */
export interface CommandResult {
  name: string;
  code: number;
}

/** The tree of commands. */
export class Commands {
  readonly root: CliCommand;
  readonly result: CommandResult;
  readonly #name: string;

  constructor({ name, version, streams }: CommandContext) {
    this.#name = name;
    this.result = { name, code: 0 };
    this.root = new CliCommand(name);
    this.root
      .description(
        "Runs MLflow tracking servers on Kubernetes, and shows the objects that the operator creates for a manifest.",
      )
      .configureOutput({ writeOut: streams.stdout, writeErr: streams.stdout, getOutHelpWidth: () => 120 })
      .configureHelp({ subcommandTerm: (command) => command.name() })
      .exitOverride()
      .version(version, "--version", "print the version")
      .helpOption("-h, --help", "print this help")
      .helpCommand(false)
      .addHelpText("after", `\nUse '${name} help <command>' for the options and examples of a command.`);
  }

  /** Adds a command with its examples. */
  add(usage: string, description: string, examples: readonly string[] = []): Command {
    const command = this.root
      .command(usage)
      .description(description)
      .summary(description.split(/(?<=\.)\s/)[0] ?? "");
    const texts = examples.map((example) => `  ${exampleText(this.#name, example)}\n`);
    return texts.length === 0 ? command : command.addHelpText("after", `\nExamples:\n${texts.join("")}`);
  }

  /** Sets what a command does. `work` returns the exit code. */
  action<T extends object>(command: Command, work: (values: T, args: readonly string[]) => Promise<number>): void {
    command.action(async () => {
      this.result.name = fullName(command);
      this.result.code = await work(command.opts<T & OptionValues>(), command.processedArgs.flat());
    });
  }
}

/** An example begins with the name of the program, or has {} in its place. */
function exampleText(name: string, example: string): string {
  return example.includes("{}") ? example.replace("{}", name) : `${name} ${example}`;
}

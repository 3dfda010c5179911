import { Command } from "commander";

/** Wrong arguments: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** The full name of the command, where commander found the error. */
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super(message);
    this.command = command;
  }
}

/** A command of the command line. Its usage errors are thrown as a {@link UsageError}, in one line. */
export class CliCommand extends Command {
  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }

  override error(message: string): never {
    const [first = "", ...more] = message.replace(/^error: /, "").split("\n");
    // A suggestion is in parentheses on a separate line.
    const suggestion = more.map((line) => `. ${line.replace(/^[(]/, "").replace(/[)]$/, "")}`).join("");
    throw new UsageError(first + suggestion, fullName(this));
  }
}

/** The command with its parents, as a user types it: `kubectl mlflow render`. */
export function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** Adds a value to those that the option has already: for options that can be repeated. */
export function collect(value: string, values: readonly string[] = []): readonly string[] {
  return [...values, value];
}

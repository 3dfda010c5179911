import { Argument } from "commander";
import type { Commands } from "./commands.ts";
import type { CommandContext } from "./context.ts";

/** Adds completion, version and help. */
export function addUtilityCommands(commands: Commands, context: CommandContext): void {
  addCompletion(commands, context);
  addCompletedWords(commands, context);
  addVersion(commands, context);
  addHelp(commands);
}

function addCompletion(commands: Commands, context: CommandContext): void {
  const { streams } = context;
  const completion = commands
    .add("completion", "Prints a completion script for a shell.", [
      "completion bash > /etc/bash_completion.d/mlflow-operator",
      "completion zsh > ~/.zfunc/_mlflow-operator",
      "completion fish > ~/.config/fish/completions/mlflow-operator.fish",
    ])
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]));
  commands.action(completion, async (_values, [shell = ""]) => {
    streams.stdout((await import("./completion.ts")).completionScript(shell));
    return 0;
  });
}

function addCompletedWords(commands: Commands, context: CommandContext): void {
  const { streams } = context;
  commands.root
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      streams.stdout((await import("./completion.ts")).candidates(commands.root, words));
    });
}

function addVersion(commands: Commands, context: CommandContext): void {
  const { streams } = context;
  commands.action(commands.add("version", "Prints the version."), async () => {
    streams.stdout(`${context.version}\n`);
    return 0;
  });
}

function addHelp(commands: Commands): void {
  const help = commands.add("help", "Prints the help of a command.").addArgument(new Argument("[command]"));
  commands.action(help, async (_values, [topic]) => {
    if (topic === undefined) commands.root.outputHelp();
    else {
      const command = commands.root.commands.find((each) => each.name() === topic);
      if (command === undefined) commands.root.error(`unknown command '${topic}'`);
      else command.outputHelp();
    }
    return 0;
  });
}

import type { Command } from "commander";
import { checks } from "../../src/cli/doctor/checks.ts";
import { program } from "../../src/cli/program.ts";
import { addSettings } from "../../src/settings.ts";

/** docs/cli.md: the text before the reference, and each command with its arguments, options and examples. */
export function cliReference(introduction: string): string {
  const { command } = program({
    name: "mlflow-operator",
    version: "",
    streams: { stdin: async () => "", stdout: () => {}, stderr: () => {} },
    now: () => new Date(0),
    environment: {},
    interruption: () => new AbortController().signal,
    operator: { addOptions: addSettings, run: async () => 0 },
  });
  const commands = command.createHelp().visibleCommands(command);
  const rows = commands.map((each) => `| [\`${each.name()}\`](#${each.name()}) | ${cell(each.summary())} |`);
  const overview = ["| command | what it does |", "| --- | --- |", ...rows].join("\n");
  const before = introduction.trimEnd().replace(checksMark, checksTable);
  return `${before}\n\n## Commands\n\n${overview}\n\n${commands.map(section).join("\n")}`;
}

/** The place of the table of checks in the text before the reference. */
const checksMark = "<!-- the checks of doctor -->";

function checksTable(): string {
  const rows = checks.map(({ name, about, source }) => `| ${name} | ${cell(about)} | ${source} |`);
  return ["| check | is a problem if | reads |", "| --- | --- | --- |", ...rows].join("\n");
}

function section(command: Command): string {
  const help = command.createHelp();
  const argumentRows = help
    .visibleArguments(command)
    .map((argument) => [`\`${argument.name()}\``, [help.argumentDescription(argument)].join("")]);
  const optionRows = help
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help")
    .map((option) => [`\`${option.flags}\``, help.optionDescription(option)]);
  return [
    `### ${command.name()}`,
    "",
    `\`${help.commandUsage(command)}\``,
    "",
    command.description(),
    "",
    ...table("argument", argumentRows),
    ...table("option", optionRows),
    ...examples(command),
  ].join("\n");
}

function table(head: string, rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  return [
    `| ${head} | description |`,
    "| --- | --- |",
    ...rows.map((cells) => `| ${cells.map(cell).join(" | ")} |`),
    "",
  ];
}

function examples(command: Command): string[] {
  const lines: string[] = [];
  command.configureOutput({ writeOut: (text) => void lines.push(text) });
  command.outputHelp();
  const [, text] = lines.join("").split("\nExamples:\n");
  return text === undefined
    ? []
    : [
        "```",
        ...text
          .trimEnd()
          .split("\n")
          .map((line) => line.trim()),
        "```",
        "",
      ];
}

/** Text in a cell: borders and HTML are escaped outside code. */
function cell(text: string): string {
  const parts = text.replaceAll("\n", " ").split(/(`[^`]*`)/);
  return parts
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll("<", "\\<")))
    .join("")
    .replaceAll("|", "\\|");
}

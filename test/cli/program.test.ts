import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { runCommand } from "../support/command-line.ts";

/** The commands of the command line in code blocks and inline code of a page, without their comments and pipes. */
function commandsIn(page: string): string[] {
  const text = readFileSync(page, "utf8").replaceAll(/\\\n\s*/g, " ");
  const called =
    /(?:^ *|`|npm exec -- |&& |[|(] *)(?:npm exec -- )?(?:mlflow-operator|kubectl mlflow) ([^`|>&;#)\n]+)/gm;
  return [...text.matchAll(called)].map(([, command = ""]) => command.trim());
}

describe("the command line", () => {
  test("has the commands and options that the pages use", async () => {
    const helpOf = new Map<string, string>();
    let found = 0;
    for (const page of globSync(["README.md", "docs/*.md"]))
      for (const command of commandsIn(page)) {
        const [name = "", ...words] = command.split(/\s+/);
        // The options of `run` are the settings of the operator, which this folder does not import.
        if (name === "run" || !/^[a-z-]+$/.test(name)) continue;
        if (!helpOf.has(name)) helpOf.set(name, (await runCommand([name, "--help"])).stdout);
        const help = helpOf.get(name) ?? "";
        assert.notEqual(help, "", `${page}: there is no command ${name}: ${command}`);
        found++;
        for (const [option] of words.join(" ").matchAll(/(?<=^|\s)--?[a-zA-Z][-a-zA-Z]*/g))
          assert.match(help, new RegExp(`^ *(?:-\\w, )?(?:${option})\\b|^ *${option},`, "m"), `${page}: ${command}`);
      }
    assert.ok(found > 20, `${found} commands`);
  });

  test("reports wrong usage in one line with a suggestion, and exits 2", async () => {
    for (const [args, says] of [
      [["rendr"], "mlflow-operator: unknown command 'rendr'. Did you mean render? See 'mlflow-operator --help'.\n"],
      [
        ["render", "--filenam", "x"],
        "mlflow-operator render: unknown option '--filenam'. Did you mean --filename? See 'mlflow-operator render --help'.\n",
      ],
      [
        ["render", "-o", "xml", "-f", "-"],
        "mlflow-operator render: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are yaml, json, wide. See 'mlflow-operator render --help'.\n",
      ],
      [
        ["render"],
        "mlflow-operator render: name a file or a directory, or - for standard input. See 'mlflow-operator render --help'.\n",
      ],
      [
        ["who-can", "get"],
        "mlflow-operator who-can: missing required argument 'resource'. See 'mlflow-operator who-can --help'.\n",
      ],
      [
        ["access", "--context", "x", "-f", "-", "-n", "a"],
        "mlflow-operator access: --context cannot be combined with files: leave out one of them. See 'mlflow-operator access --help'.\n",
      ],
      [
        ["render", "-o", "wide", "-"],
        "mlflow-operator render: -o wide is a table: add --summary. See 'mlflow-operator render --help'.\n",
      ],
      [["help", "rendr"], "mlflow-operator: unknown command 'rendr'. See 'mlflow-operator --help'.\n"],
    ] as const) {
      const { code, stdout, stderr } = await runCommand(args);
      assert.deepEqual([code, stdout, stderr], [2, "", says]);
    }
  });

  test("prints the same help for help <command> and --help, with the name by which it was called", async () => {
    const [help, option] = [await runCommand(["help", "diff"]), await runCommand(["diff", "--help"])];
    assert.deepEqual([help.code, help.stderr], [0, ""]);
    assert.equal(help.stdout, option.stdout);
    const plugin = await runCommand(["help", "diff"], { name: "kubectl mlflow" });
    assert.match(plugin.stdout, /^Usage: kubectl mlflow diff \[options\] \[files\.\.\.\]$/m);
    assert.match(plugin.stdout, /^ {2}kubectl mlflow diff mlflow\.yaml$/m);
    assert.equal((await runCommand([])).code, 0);
  });

  test("completes commands, options, their values and files", async () => {
    const complete = async (...words: string[]) => {
      const { stdout } = await runCommand(["__complete", ...words]);
      const lines = stdout.trimEnd().split("\n");
      return [...lines.slice(0, -1).map((line) => line.split("\t")[0]), lines.at(-1)];
    };
    assert.deepEqual(await complete("re"), ["render", ":4"]);
    assert.deepEqual(await complete("render", "--sum"), ["--summary", ":4"]);
    assert.deepEqual(await complete("access", "-n", "x", "-o", ""), ["table", "wide", "yaml", "json", ":4"]);
    assert.deepEqual(await complete("render", "-f", ""), [":0"]);
    assert.deepEqual(await complete("render", "a.yaml", ""), [":0"]);
    assert.deepEqual(await complete("completion", ""), ["bash", "zsh", "fish", ":4"]);
    assert.deepEqual(await complete("help", "di"), ["diff", ":4"]);
    assert.deepEqual(await complete("nothing", ""), [":4"]);
    for (const shell of ["bash", "zsh", "fish"])
      assert.match((await runCommand(["completion", shell])).stdout, /__complete[\s\S]*kubectl-mlflow/);
  });
});

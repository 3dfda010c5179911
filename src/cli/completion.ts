import type { Argument, Command, Option } from "commander";

/** Directives of cobra's completion protocol, which kubectl uses for plugins: complete file names, or the candidates only. */
const directive = { files: 0, candidatesOnly: 4 } as const;

/**
 * The candidates for the last word of a command line, one in a line with its description, and a directive. In the format of cobra, so that
 * a `kubectl_complete-mlflow` on the PATH can be a call of this.
 */
export function candidates(root: Command, words: readonly string[]): string {
  const { values, isFile } = completionsOf(root, words);
  const current = words.at(-1) ?? "";
  const lines = values.filter(([value]) => value.startsWith(current)).map(([value, about]) => `${value}\t${about}\n`);
  return `${lines.join("")}:${isFile ? directive.files : directive.candidatesOnly}\n`;
}

interface Completions {
  readonly values: readonly (readonly [value: string, description: string])[];
  readonly isFile?: boolean;
}

function completionsOf(root: Command, words: readonly string[]): Completions {
  const current = words.at(-1) ?? "";
  const previous = words.slice(0, -1);
  const [name = "", ...rest] = previous;
  const command = root.commands.find((each) => each.name() === name);
  const commands = root.createHelp().visibleCommands(root);
  if (command === undefined) {
    if (previous.length > 0) return { values: [] };
    return { values: commands.map((each) => [each.name(), each.summary()]) };
  }
  const expecting = command.options.find((option) => isFlag(option, rest.at(-1)) && takesValue(option));
  if (expecting !== undefined) return valuesOf(expecting.argChoices, expecting.flags);
  if (current.startsWith("-")) {
    const options = command.createHelp().visibleOptions(command);
    return { values: options.map((option) => [option.long ?? option.flags, option.description]) };
  }
  if (command.name() === "help") return { values: commands.map((each) => [each.name(), each.summary()]) };
  const argument = argumentAt(command, positionals(command, rest));
  return argument === undefined ? { values: [] } : valuesOf(argument.argChoices, argument.name());
}

function valuesOf(choices: readonly string[] | undefined, name: string): Completions {
  if (choices !== undefined) return { values: choices.map((choice) => [choice, ""]) };
  return { values: [], isFile: /<path>|files/.test(name) };
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  return registeredArguments[index] ?? registeredArguments.find(({ variadic }) => variadic);
}

/** The number of arguments among the words. */
function positionals(command: Command, words: readonly string[]): number {
  return words.filter((word, index) => {
    const before = command.options.find((option) => isFlag(option, words[index - 1]));
    return !word.startsWith("-") && !(before !== undefined && takesValue(before));
  }).length;
}

function isFlag({ short, long }: Option, word: string | undefined): boolean {
  return word !== undefined && (word === short || word === long);
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

/** The script that makes a shell complete `mlflow-operator` and `kubectl-mlflow`. */
export function completionScript(shell: string): string {
  if (shell === "bash") return bash;
  return shell === "zsh" ? zsh : fish;
}

const programs = "mlflow-operator kubectl-mlflow";

const bash = `_mlflow_operator() {
  local words lines directive
  words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t lines < <("\${COMP_WORDS[0]}" __complete "\${words[@]}" 2>/dev/null)
  [ "\${#lines[@]}" -gt 0 ] || return 0
  directive="\${lines[-1]}"
  unset 'lines[-1]'
  COMPREPLY=("\${lines[@]%%$'\\t'*}")
  if [ "$directive" = ":${directive.files}" ]; then compopt -o default 2>/dev/null; fi
}
complete -F _mlflow_operator ${programs}
`;

const zsh = `#compdef ${programs}
_mlflow_operator() {
  local -a lines values
  local directive
  lines=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  directive="\${lines[-1]}"
  values=("\${(@)\${(@)lines[1,-2]//:/\\\\:}/$'\\t'/:}")
  (( \${#lines} > 1 )) && _describe 'mlflow-operator' values
  [[ "$directive" = ":${directive.files}" ]] && _files
  return 0
}
if [ "$funcstack[1]" = "_mlflow_operator" ]; then _mlflow_operator; else compdef _mlflow_operator ${programs}; fi
`;

const fish = `function __mlflow_operator_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l lines ($words[1] __complete $words[2..-1] 2>/dev/null)
  test (count $lines) -gt 0; or return
  printf '%s\\n' $lines[1..-2]
  if test $lines[-1] = ":${directive.files}"
    __fish_complete_path (commandline -ct)
  end
end
for program in ${programs}
  complete -c $program -f -a '(__mlflow_operator_complete)'
end
`;

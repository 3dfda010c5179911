import { Option } from "commander";
import { collect } from "./command.ts";
import { namespaceOption, outputOption, withContext, withFiles, withInstallation } from "./command-options.ts";
import type { Commands } from "./commands.ts";
import type { CommandContext } from "./context.ts";
import type { DiffOptions } from "./diff.ts";
import type { RenderOptions } from "./render.ts";
import type { ValidateOptions } from "./validate.ts";

/** Adds the commands that read manifests: render, validate and diff. */
export function addManifestCommands(commands: Commands, context: CommandContext): void {
  addRender(commands, context);
  addValidate(commands, context);
  addDiff(commands, context);
}

function addRender(commands: Commands, context: CommandContext): void {
  const render = withInstallation(
    withFiles(
      commands.add(
        "render",
        "Prints what the operator would apply for each MlflowServer of the files, without a cluster.\n\nGenerated secrets and values from Secrets are placeholders. The database migration is assumed to be complete. For workspaces, namespaces that a grant or an MlflowWorkspaceAccess names are assumed to have opted in; those of --namespaces are used with their labels. Documents of other kinds are ignored.",
        [
          "render mlflow.yaml",
          "render --summary mlflow.yaml",
          "render platform.yaml --namespaces namespaces.yaml -o json",
        ],
      ),
    ),
  )
    .option(
      "--namespaces <path>",
      "file with Namespaces, such as the output of kubectl get namespaces -o yaml; can be repeated",
      collect,
    )
    .addOption(namespaceOption("namespace of documents that name none (default: default)"))
    .option("--summary", "print one line for each object: kind, name and what it is for")
    .addOption(
      new Option("-o, --output <format>", "output format; wide with --summary").choices(["yaml", "json", "wide"]),
    );
  commands.action(render, async (values: RenderOptions, files) =>
    (await import("./render.ts")).render(values, files, context),
  );
}

function addValidate(commands: Commands, context: CommandContext): void {
  const validate = withFiles(
    commands.add(
      "validate",
      "Reports all problems of the MlflowServers, MlflowWorkspaceAccesses, MlflowBackups and MlflowBackupSchedules in files and directories, without a cluster.\n\nEach problem has its file, its line and what to write instead. Documents of other kinds are skipped. Exit code 1: there are problems.",
      ["validate mlflow.yaml", "validate -R clusters/", "helm template chart/ | {} validate -"],
    ),
  ).addOption(outputOption(["text", "json", "yaml"], "text"));
  commands.action(validate, async (values: ValidateOptions, files) =>
    (await import("./validate.ts")).validateFiles(values, files, context),
  );
}

function addDiff(commands: Commands, context: CommandContext): void {
  const diff = withContext(
    withInstallation(
      withFiles(
        commands.add(
          "diff",
          "Compares the objects that the operator would apply for the MlflowServers of the files with those in the cluster.\n\nAs kubectl diff it needs the permission to patch the objects (a dry run; nothing is changed), prints the differences by diff -u or the program of KUBECTL_EXTERNAL_DIFF, and exits 0 without differences, 1 with differences, and 2 for an error. Data of Secrets is never printed. The options for images and the domain must have the values of your operator's settings.",
          ["diff mlflow.yaml", "diff -f clusters/prod -R --context prod"],
        ),
      ),
    ).addOption(namespaceOption("namespace of documents that name none (default: the namespace of the context)")),
  );
  commands.action(diff, async (values: DiffOptions, files) => (await import("./diff.ts")).diff(values, files, context));
}

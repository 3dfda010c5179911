import { Option } from "commander";
import { collect } from "./command.ts";
import { namespaceOption, outputOption, withFiles } from "./command-options.ts";
import type { Commands } from "./commands.ts";
import type { CommandContext } from "./context.ts";
import type { ConvertOptions } from "./convert.ts";

/** Adds the command that converts the values of a chart. */
export function addConvert(commands: Commands, context: CommandContext): void {
  const convert = withFiles(
    commands.add(
      "convert",
      "Converts the values of a Helm chart into an MlflowServer.\n\nThe manifest goes to the standard output. The report of every value, and the list of Secrets to create, go to the standard error output. Passwords in the values are in neither. Exit code 2: a value is not mapped, or the manifest is not complete.",
      [
        "convert --from community -f values.yaml > mlflow.yaml",
        "convert --from bitnami -f values.yaml -f production.yaml --set tracking.replicaCount=2 --partial",
        "convert --from official -f platform.yaml --prefix mlflow --release tracking -n ml -o json",
      ],
    ),
  )
    .addOption(new Option("--from <chart>", "chart of the values").choices(chartIds).makeOptionMandatory())
    .option("--set <key=value>", "value in Helm's syntax; can be repeated", collect)
    .option("--set-string <key=value>", "text value in Helm's syntax; can be repeated", collect)
    .option("--prefix <key>", "key below which the values are, for a chart that has the chart as its dependency")
    .option("--release <name>", "name of the release, and of the MlflowServer", "mlflow")
    .addOption(namespaceOption("namespace of the MlflowServer"))
    .option("--partial", "exit with 0 although values are not mapped or the manifest is not complete")
    .addOption(outputOption(["yaml", "json"], "yaml"));
  commands.action(convert, async (values: ConvertOptions, files) =>
    (await import("./convert.ts")).convert(values, files, context),
  );
}

/** The charts of `convert`; a test compares them with its tables, which only `convert` loads. */
export const chartIds = ["community", "bitnami", "official", "odh"];

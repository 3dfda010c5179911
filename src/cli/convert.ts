import { load } from "js-yaml";
import { messageOf } from "../kube/errors.ts";
import { UsageError } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { type Conversion, convertValues } from "./convert/conversion.ts";
import { charts } from "./convert/index.ts";
import { reportText } from "./convert/report-text.ts";
import { isValues, mergedValues, setValues, type Values, valuesBelow } from "./convert/values.ts";
import { type FileOptions, readFiles, requiredFilesOf } from "./files.ts";
import { structured } from "./output.ts";

/** Options of `convert`. */
export interface ConvertOptions extends FileOptions {
  readonly from: string;
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly prefix?: string;
  readonly release: string;
  readonly namespace?: string;
  readonly partial?: boolean;
  readonly output: "yaml" | "json";
}

/**
 * The command `convert`: the manifest goes to stdout, the report to stderr. Returns 1 for values that cannot be read, and 2 where
 * a value is not mapped or the manifest is not complete.
 */
export async function convert(
  options: ConvertOptions,
  args: readonly string[],
  { streams }: CommandContext,
): Promise<number> {
  const chart = charts.find(({ id }) => id === options.from);
  if (!chart) throw new UsageError(`--from ${options.from}: use one of ${charts.map(({ id }) => id).join(", ")}`);
  const layers: Values[] = [];
  for (const file of await readFiles(requiredFilesOf(options, args), options, streams)) {
    const read = "error" in file ? file.error : valuesOf(file.text);
    if (typeof read === "string") {
      streams.stderr(`${file.name}: ${read}`);
      return 1;
    }
    layers.push(read);
  }
  const merged = mergedValues([...layers, ...assignments(options)]);
  const values = options.prefix === undefined ? merged : valuesBelow(merged, options.prefix);
  if (!values) throw new UsageError(`--prefix ${options.prefix}: the values have no map there`);
  const { release: name, namespace } = options;
  const conversion = convertValues(chart, values, { name, ...(namespace === undefined ? {} : { namespace }) });
  const { manifest, report, secrets, problems } = conversion;
  if (options.output === "json") streams.stdout(structured({ manifest, report, secrets, problems }, "json"));
  else {
    streams.stdout(structured(manifest, "yaml"));
    streams.stderr(reportText(conversion));
    const below = nestedValues(conversion, values);
    if (below !== undefined) streams.stderr(below);
  }
  const isComplete = problems.length === 0 && !report.some(({ outcome }) => outcome === "unmapped");
  return isComplete || options.partial ? 0 : 2;
}

/** The values of a file, or why they cannot be read. The text of the parser quotes the file, so only its place is reported. */
function valuesOf(text: string): Values | string {
  try {
    const values = text.trim() === "" ? {} : (load(text) ?? {});
    return isValues(values) ? values : "not a map of values";
  } catch (error) {
    const mark = /\((\d+:\d+)\)/u.exec(messageOf(error))?.[1];
    const template = text.includes("{{") ? ": it is a template of Helm, so render it first" : "";
    return `not YAML${mark === undefined ? "" : ` at ${mark}`}${template}`;
  }
}

function assignments({ set = [], setString = [] }: ConvertOptions): Values[] {
  try {
    return [...set.map((each) => setValues(each)), ...setString.map((each) => setValues(each, true))];
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/** Where no value is known, the chart is probably a dependency of the chart that the values are for. */
function nestedValues({ report }: Conversion, values: Values): string | undefined {
  if (report.some(({ note }) => !note.includes("no such value"))) return undefined;
  const [only, ...others] = Object.keys(values).filter((key) => isValues(values[key]));
  if (only === undefined || others.length > 0) return undefined;
  return `The chart has none of these values. If it is a dependency of your chart, use --prefix ${only}.`;
}

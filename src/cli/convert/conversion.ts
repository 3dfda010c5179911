import { apiVersion } from "../../api/server.ts";
import { validate } from "../../api/validation.ts";
import type { Chart, Outcome, Row } from "./chart.ts";
import { Draft, type NeededSecret } from "./draft.ts";
import { ValueReader } from "./value-reader.ts";
import { isValues, type Leaf, leavesOf, pathText, type Value, type Values } from "./values.ts";

/** The result for one value. `ignored` are values that the chart itself does not use. */
export interface ReportRow {
  readonly key: string;
  readonly outcome: Outcome | "ignored";
  readonly fields: string;
  readonly note: string;
}

export interface Conversion {
  /** The manifest of an MlflowServer. */
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly secrets: readonly NeededSecret[];
  readonly report: readonly ReportRow[];
  /** What the API server would reject in the manifest. */
  readonly problems: readonly string[];
}

/** Converts the values of a release of a chart into an MlflowServer, and reports the result for each value. */
export function convertValues(
  chart: Chart,
  values: Values,
  release: { readonly name: string; readonly namespace?: string },
): Conversion {
  const reader = new ValueReader(values);
  const draft = new Draft();
  const overrides: Row[] = [];
  chart.convert({
    values: reader,
    draft,
    release,
    report: (key, outcome, note) => overrides.push({ key, outcome, fields: "", note }),
  });
  const manifest = {
    apiVersion,
    kind: "MlflowServer",
    metadata: { name: release.name, ...(release.namespace === undefined ? {} : { namespace: release.namespace }) },
    spec: draft.spec,
  };
  const validation = validate(structuredClone(manifest));
  return {
    manifest,
    secrets: draft.secrets,
    report: leavesOf(values).flatMap((leaf) => reportRow(chart, reader, overrides, leaf)),
    problems: "problems" in validation ? validation.problems : [],
  };
}

function reportRow(chart: Chart, reader: ValueReader, overrides: readonly Row[], leaf: Leaf): ReportRow[] {
  const key = pathText(leaf.path);
  const row = bestRow(chart.rows, leaf.path);
  if (isEmpty(leaf.value) && (row ? row.outcome !== "mapped" : chart.rows.some((each) => isAtOrBelow(each.key, key))))
    return [];
  const mistyped = [...reader.mistyped].find(([part]) => isAtOrBelow(key, part));
  if (mistyped) {
    const note = `the chart expects ${mistyped[1]} at ${mistyped[0]}: write the value itself, or keep it in a Secret`;
    return [{ key, outcome: "unmapped", fields: "", note }];
  }
  if (!row) return [{ key, outcome: "unmapped", fields: "", note: unknownKey(chart, leaf.path) }];
  const off = chart.switches.find(
    ([part, name, isOn]) => isAtOrBelow(key, part) && key !== name && !reader.flag(name, isOn),
  );
  if (off)
    return [{ key, outcome: "ignored", fields: "", note: `has no effect in the chart while ${off[1]} is false` }];
  const override = overrides.findLast((each) => isAtOrBelow(key, each.key));
  const { outcome, fields, note } = override ?? row;
  return [{ key, outcome, fields, note }];
}

/** The row of a value: the one with the most exact key. */
function bestRow(rows: readonly Row[], path: Leaf["path"]): Row | undefined {
  return rows
    .filter((row) => matches(row.key, path))
    .toSorted((a, b) => parts(b.key).length - parts(a.key).length)
    .at(0);
}

/** The parts of keys of the tables, which each value is compared with. */
const knownParts = new Map<string, readonly string[]>();

function parts(key: string): readonly string[] {
  const known = knownParts.get(key);
  if (known !== undefined) return known;
  const found = key
    .replaceAll("[]", ".[]")
    .replace(/[.][*]$/u, "")
    .split(".");
  knownParts.set(key, found);
  return found;
}

function matches(key: string, path: Leaf["path"]): boolean {
  const wanted = parts(key);
  if (key.endsWith(".*") ? path.length < wanted.length : path.length !== wanted.length) return false;
  return wanted.every((part, index) => (part === "[]" ? typeof path[index] === "number" : part === path[index]));
}

/** Whether a path is the one of `part`, or below it; both as {@link pathText} writes them. */
function isAtOrBelow(path: string, part: string): boolean {
  return path === part || path.startsWith(`${part}.`) || path.startsWith(`${part}[`);
}

function isEmpty(value: Value): boolean {
  if (value === null || value === "" || value === false) return true;
  return (Array.isArray(value) && value.length === 0) || (isValues(value) && Object.keys(value).length === 0);
}

function unknownKey(chart: Chart, path: Leaf["path"]): string {
  const last = path.filter((part) => typeof part === "string").at(-1);
  const similar = chart.rows.find(({ key }) => parts(key).at(-1) === last)?.key;
  const hint = similar === undefined ? "" : `; it has ${similar}`;
  return `the chart has no such value, so it has no effect${hint}: check the spelling and the level`;
}

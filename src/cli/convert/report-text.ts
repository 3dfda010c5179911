import type { Conversion, ReportRow } from "./conversion.ts";
import type { NeededSecret } from "./draft.ts";

const headings: Readonly<Record<ReportRow["outcome"], string>> = {
  mapped: "Mapped",
  changed: "Mapped with a change",
  ignored: "Without effect in the chart",
  unmapped: "Not mapped",
};

/** The report of a conversion as text: each value once, values with the same result in one line. Never a value itself. */
export function reportText({ report, secrets, problems }: Conversion): string {
  const parts = (["mapped", "changed", "ignored", "unmapped"] as const).flatMap((outcome) => {
    const rows = report.filter((row) => row.outcome === outcome);
    return rows.length === 0 ? [] : [`${headings[outcome]} (${rows.length}):\n${grouped(rows).join("\n")}`];
  });
  const created = secrets.filter(({ exists }) => !exists);
  const existing = secrets.filter(({ exists }) => exists);
  if (created.length > 0) parts.push(`Secrets to create:\n${created.flatMap(keysOfSecret).join("\n")}`);
  if (existing.length > 0) parts.push(`Secrets that must exist:\n${existing.map(existingSecret).join("\n")}`);
  if (problems.length > 0) {
    parts.push(`The manifest is not complete:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  }
  return `${parts.join("\n\n")}\n`;
}

/** Consecutive rows with the same result, below the keys that they have in common. */
function grouped(rows: readonly ReportRow[]): string[] {
  const groups: ReportRow[][] = [];
  for (const row of rows) {
    const last = groups.at(-1)?.[0];
    if (last && last.fields === row.fields && last.note === row.note) groups.at(-1)?.push(row);
    else groups.push([row]);
  }
  return groups.map((group) => {
    const [first] = group;
    const { key = "", fields = "", note = "" } = first ?? {};
    const shown = group.length === 1 ? key : `${common(group.map((row) => row.key))} (${group.length} values)`;
    const target = fields === "" ? "" : ` -> ${fields.replaceAll(" ", ", ")}`;
    return `  ${shown}${target}${note === "" ? "" : `: ${note}`}`;
  });
}

function common(keys: readonly string[]): string {
  const [first = "", ...others] = keys.map((key) => key.split(/(?=[.[])/u));
  const shared = [...first].findIndex((part, index) => others.some((other) => other[index] !== part));
  const prefix = [...first].slice(0, shared < 0 ? undefined : shared).join("");
  return prefix === "" ? keys.join(", ") : `${prefix}.*`;
}

function keysOfSecret({ name, keys }: NeededSecret): string[] {
  return [`  Secret/${name}`, ...Object.entries(keys).map(([key, from]) => `    ${key}: ${from}`)];
}

function existingSecret({ name, keys }: NeededSecret): string {
  return `  Secret/${name}: ${Object.keys(keys).join(", ")}`;
}

import { dump } from "js-yaml";

/** A value as YAML or JSON. */
export function structured(value: unknown, format: "yaml" | "json"): string {
  return format === "json" ? `${JSON.stringify(value, null, 2)}\n` : yamlOf(value);
}

/** A value as YAML, without line breaks in long text. */
export function yamlOf(value: unknown): string {
  return dump(value, { lineWidth: -1, noRefs: true });
}

/** Rows in columns, as kubectl prints them. Rows that are equal are printed once. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...new Map(rows.map((row) => [row.join("\n"), row])).values()];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("   ")
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

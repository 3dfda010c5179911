import { dump } from "js-yaml";

/** A value as YAML or JSON. */
export function structured(value: unknown, format: "yaml" | "json"): string {
  return format === "json" ? `${JSON.stringify(value, null, 2)}\n` : yamlOf(value);
}

/** A value as YAML, without line breaks in long text. */
export function yamlOf(value: unknown): string {
  return dump(value, { lineWidth: -1, noRefs: true });
}

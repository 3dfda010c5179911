import { isValues, type Value, type Values } from "./values.ts";

/** Reads values by path (`auth.postgres.host`), and records those that have another type than the chart expects. */
export class ValueReader {
  readonly #values: Values;
  readonly #mistyped = new Map<string, string>();

  constructor(values: Values) {
    this.#values = values;
  }

  /** Paths whose value has another type than the chart expects, with the type that it expects. */
  get mistyped(): ReadonlyMap<string, string> {
    return this.#mistyped;
  }

  /** The value at a path, of any type. */
  value(path: string): Value | undefined {
    let value: Value | undefined = this.#values;
    for (const key of path.split(".")) value = isValues(value) ? value[key] : undefined;
    return value ?? undefined;
  }

  /** Text; undefined where it is missing or empty. A number or boolean is converted to text. */
  text(path: string): string | undefined {
    const value = this.value(path);
    if (value === undefined || value === "") return undefined;
    if (typeof value === "object") return this.#expected(path, "text");
    return String(value);
  }

  number(path: string): number | undefined {
    const text = this.text(path);
    if (text === undefined) return undefined;
    return /^\d+$/u.test(text) ? Number(text) : this.#expected(path, "a number");
  }

  flag(path: string, fallback = false): boolean {
    const value = this.value(path);
    if (value === undefined) return fallback;
    if (typeof value === "boolean") return value;
    this.#expected(path, "true or false");
    return fallback;
  }

  list(path: string): readonly Value[] | undefined {
    const value = this.value(path);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.#expected(path, "a list");
    return value.length > 0 ? value : undefined;
  }

  map(path: string): Values | undefined {
    const value = this.value(path);
    if (value === undefined) return undefined;
    if (!isValues(value)) return this.#expected(path, "a map");
    return Object.keys(value).length > 0 ? value : undefined;
  }

  /** A reader for each map in a list. */
  items(path: string): ValueReader[] {
    return (this.list(path) ?? []).filter(isValues).map((values) => new ValueReader(values));
  }

  #expected(path: string, type: string): undefined {
    this.#mistyped.set(path, type);
    return undefined;
  }
}

import type { Draft } from "./draft.ts";
import type { ValueReader } from "./value-reader.ts";

/**
 * The result for a value: `mapped` to a field with the same meaning, `changed` to another form or done by the operator
 * itself, `unmapped` where the operator offers nothing for it.
 */
export type Outcome = "mapped" | "changed" | "unmapped";

export interface Row {
  /** The key: `auth.postgres.host`, `ingress.hosts[].host`, or `livenessProbe.*` for all keys below. */
  readonly key: string;
  readonly outcome: Outcome;
  /** Fields below `spec`, separated by spaces; empty where there is none. */
  readonly fields: string;
  readonly note: string;
}

/** What a conversion knows about the release. */
export interface Release {
  /** Name of the MlflowServer, and the beginning of the names of Secrets to create. */
  readonly name: string;
}

export interface ConversionContext {
  readonly values: ValueReader;
  readonly draft: Draft;
  readonly release: Release;
  /** Replaces the rows' outcome for a path, as `--set` takes it, and all paths below it. */
  readonly report: (key: string, outcome: Outcome, note: string) => void;
}

/** A chart whose values can be converted. */
export interface Chart {
  readonly id: string;
  readonly title: string;
  /** A row for each value that the chart has. */
  readonly rows: readonly Row[];
  /** Parts of the values that have no effect unless the chart's switch for them is on: the part, the switch, its default. */
  readonly switches: readonly (readonly [part: string, key: string, isOn: boolean])[];
  readonly convert: (context: ConversionContext) => void;
}

export const mapped = (key: string, fields: string, note = ""): Row => ({ key, outcome: "mapped", fields, note });
export const changed = (key: string, fields: string, note: string): Row => ({ key, outcome: "changed", fields, note });
export const unmapped = (key: string, note: string): Row => ({ key, outcome: "unmapped", fields: "", note });

/** Keys that need no field, since the operator does the same, or decides it. */
export const notNeeded = (note: string, ...keys: readonly string[]): Row[] => keys.map((key) => changed(key, "", note));

/** Keys that the operator offers nothing for. */
export const unsupported = (note: string, ...keys: readonly string[]): Row[] => keys.map((key) => unmapped(key, note));

/** One row of the table of results. */
export interface Figure {
  readonly name: string;
  /** With its unit, for the table. */
  readonly value: string;
  /** Without its unit; undefined without a target. */
  readonly amount?: number;
  /** The target, for the table. */
  readonly target: string;
  /** Undefined without a target. */
  readonly met: boolean | undefined;
  /** The raw figures behind the value. */
  readonly detail?: unknown;
}

/** Returns a figure with the maximum `most`. */
export function atMost(
  name: string,
  value: number,
  most: number,
  options: { readonly unit?: string; readonly digits?: number; readonly detail?: unknown; readonly note?: string } = {},
): Figure {
  const { unit = "", digits = 0, detail, note } = options;
  const shown = (amount: number) => `${amount.toFixed(Number.isInteger(amount) ? 0 : digits)}${unit && ` ${unit}`}`;
  return {
    name,
    value: `${shown(value)}${note === undefined ? "" : ` (${note})`}`,
    amount: value,
    target: `≤ ${shown(most)}`,
    met: value <= most,
    ...(detail !== undefined && { detail }),
  };
}

/** One line of the table of the operator's figures. */
export interface Figure {
  readonly name: string;
  /** With its unit, for people. */
  readonly value: string;
  /** Without its unit; undefined where there is nothing to reach. */
  readonly amount?: number;
  /** What it must reach, for people. */
  readonly target: string;
  /** Undefined where there is nothing to reach. */
  readonly met: boolean | undefined;
  /** The raw figures behind the value. */
  readonly detail?: unknown;
}

/** A figure that must not be larger than `most`. */
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

const factors: Readonly<Record<string, number>> = {
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A Kubernetes quantity as a number; NaN for what is none. The API server rewrites them: 0.5 becomes 500m. */
export function amountOf(quantity: unknown): number {
  if (typeof quantity === "number") return quantity;
  if (typeof quantity !== "string") return Number.NaN;
  const [, digits, unit = ""] = /^([0-9.]+)([A-Za-z]*)$/.exec(quantity) ?? [];
  return digits === undefined ? Number.NaN : Number(digits) * (factors[unit] ?? Number.NaN);
}

/** Whether two quantities are the same amount, however written. */
export function sameQuantity(a: unknown, b: unknown): boolean {
  const [first, second] = [amountOf(a), amountOf(b)];
  return Math.abs(first - second) <= 1e-9 * Math.abs(first);
}

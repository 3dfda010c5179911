const units: Readonly<Record<string, number>> = {
  "": 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
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

/**
 * A Kubernetes quantity (`500m`, `1.5`, `10Gi`, `1e3`) as a number, or undefined if the text is not one. Syntax and
 * suffixes are those of k8s.io/apimachinery's resource.Quantity; a number has 53 bits, which is exact up to 8 PiB.
 */
export function quantityOf(text: string): number | undefined {
  const [, number = "", suffix = ""] =
    /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/.exec(text) ?? [];
  if (number === "") return undefined;
  const unit = units[suffix];
  return unit === undefined ? Number(`${number}${suffix}`) : Number(number) * unit;
}

const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Seconds of a duration of the spec: 90s, 30m or 1h30m. */
export function secondsOf(duration: string): number {
  const parts = [...duration.matchAll(/([0-9]{1,7})([hms])/g)];
  return parts.reduce((sum, [, amount, unit = ""]) => sum + Number(amount) * (seconds[unit] ?? Number.NaN), 0);
}

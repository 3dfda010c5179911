const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Seconds of a duration of the spec: 90s, 30m or 1h30m. */
export function secondsOf(duration: string): number {
  const parts = [...duration.matchAll(/([0-9]{1,7})([hms])/g)];
  return parts.reduce((sum, [, amount, unit = ""]) => sum + Number(amount) * (seconds[unit] ?? Number.NaN), 0);
}

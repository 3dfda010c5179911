const units = [
  { text: "y", seconds: 365 * 86_400 },
  { text: "d", seconds: 86_400 },
  { text: "h", seconds: 3600 },
  { text: "m", seconds: 60 },
  { text: "s", seconds: 1 },
] as const;

/** Returns the time since a moment, in its largest unit: `5m`, `3d`. `unknown` if there is no such time. */
export function age(moment: string | undefined, now: Date): string {
  const since = Date.parse(moment ?? "");
  if (Number.isNaN(since)) return "unknown";
  return duration((now.getTime() - since) / 1000);
}

/** Returns a number of seconds in its largest unit, without the rest. A time in the future, by another clock, is `0s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const unit = units.find((each) => whole >= 2 * each.seconds) ?? { text: "s", seconds: 1 };
  return `${Math.floor(whole / unit.seconds)}${unit.text}`;
}

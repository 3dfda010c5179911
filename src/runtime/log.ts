import { type Logger, pino } from "pino";

/** What parts of the process use of a logger. */
export type Log = Pick<Logger, "debug" | "info" | "warn" | "error">;

/** Returns a logger that writes JSON lines to stdout: `time` in RFC 3339, `level` as a word, `message`, and fields. */
export function jsonLog(level: string): Log {
  return pino({
    level,
    base: null,
    messageKey: "message",
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  });
}

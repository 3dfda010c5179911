import { existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Istio's ztunnel on this machine. No package registry has it, so tests use the one on the PATH. */
export interface Ztunnel {
  readonly path: string;
}

/** The reason for skipped tests. */
export const missingZtunnel = "no ztunnel on PATH";

/** Returns ztunnel; undefined if it is not installed. */
export function ztunnelProgram(): Ztunnel | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const path = folders.map((folder) => join(folder, "ztunnel")).find((each) => existsSync(each));
  return path === undefined ? undefined : { path: realpathSync(path) };
}

import { existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

/** Istio's ztunnel of this machine. No registry of packages has it, so tests take the one on the PATH. */
export interface Ztunnel {
  readonly path: string;
}

/** Why a test of it is skipped. */
export const missingZtunnel = "no ztunnel on PATH";

/** Undefined where there is none. */
export function ztunnelProgram(): Ztunnel | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const path = folders.map((folder) => join(folder, "ztunnel")).find((each) => existsSync(each));
  return path === undefined ? undefined : { path: realpathSync(path) };
}

import { execFileSync } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

/** The oauth2-proxy of this machine. No registry of packages has it, so tests take the one on the PATH. */
export interface Oauth2Proxy {
  readonly path: string;
  /** Such as v7.15.3. */
  readonly version: string;
}

/** Why a test of it is skipped. */
export const lacksOauth2Proxy = "no oauth2-proxy on PATH";

/** Undefined where there is none. */
export function oauth2Proxy(): Oauth2Proxy | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const path = folders.map((folder) => join(folder, "oauth2-proxy")).find((each) => existsSync(each));
  if (path === undefined) return undefined;
  const [, version] = /(v[0-9][^ ]*)/.exec(execFileSync(path, ["--version"], { encoding: "utf8" })) ?? [];
  return version === undefined ? undefined : { path: realpathSync(path), version };
}

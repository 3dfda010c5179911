import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import { type GoModule, goPrograms } from "../control-plane/go-programs.ts";
import type { Image } from "./image.ts";

const modulePath = "github.com/oauth2-proxy/oauth2-proxy/v7";

const oauth2Proxy = {
  directory: join(import.meta.dirname, "go", "oauth2-proxy"),
  packages: { "oauth2-proxy": modulePath },
  stamp: (version) => `-X ${modulePath}/pkg/version.VERSION=${version}`,
  withoutGo: "The tests of oauth2-proxy build it with Go >= 1.26. Install Go.",
} as const satisfies GoModule;

/** Returns the path of oauth2-proxy, built once from its Go module in about a minute. Rejects with what to install. */
export async function oauth2ProxyProgram(report: Report = reportOnStderr): Promise<string> {
  return (await goPrograms(oauth2Proxy, report))["oauth2-proxy"] ?? "";
}

/** Returns its version in go.mod, such as v7.15.6. */
export async function oauth2ProxyVersion(): Promise<string> {
  const text = await readFile(join(oauth2Proxy.directory, "go.mod"), "utf8");
  const [, version] = new RegExp(`${modulePath} (v\\S+)`).exec(text) ?? [];
  if (version === undefined) throw new Error(`${oauth2Proxy.directory}/go.mod does not require ${modulePath}.`);
  return version;
}

/** Returns the image, which contains only the program. */
export async function oauth2ProxyImage(report: Report = reportOnStderr): Promise<Image> {
  return {
    reference: `localhost/oauth2-proxy:${await oauth2ProxyVersion()}`,
    directory: join(import.meta.dirname, "images", "oauth2-proxy"),
    files: { "oauth2-proxy": await oauth2ProxyProgram(report) },
  };
}

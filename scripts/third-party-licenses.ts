import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Metafile } from "esbuild";

/**
 * The complete licenses of all packages that a bundle contains, which most of them require for distribution.
 * Rejects for a package without a license, which must be found before it is distributed.
 */
export async function thirdPartyLicenses({ outputs }: Metafile): Promise<string> {
  const files = Object.values(outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
  const folders = new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []));
  const texts = await Promise.all([...folders].sort().map(licenseOf));
  return `This program contains parts of these packages.\n\n${texts.join("\n")}`;
}

async function licenseOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
  if (texts.length === 0 && license === undefined) throw new Error(`${folder} has no license.`);
  return `${"-".repeat(78)}\n${name} ${version} (${license ?? "see below"})\n\n${texts.join("\n").trim()}\n`;
}

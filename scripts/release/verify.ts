import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { completed } from "../../test/control-plane/completed.ts";
import { pullChart } from "./chart.ts";
import { type Signing, sbomOf, verifiedStatements, verifyArtifact, verifyFile, withoutTag } from "./cosign.ts";
import { provenanceFile, type Statement } from "./provenance.ts";
import type { Release } from "./release.ts";
import { sha256 } from "./sha256.ts";
import { craneProgram } from "./tools.ts";

/** A released artifact in a registry. */
interface Pushed {
  /** `mlflow-operator:<version>`, without the registry. */
  readonly reference: string;
  readonly digest: string;
}

/**
 * Verifies a release by its published files, which are in the output folder, and the registry: the signature of checksums.txt, by it all files,
 * and by the provenance, which is one of them, the digests, signatures and signed statements of the images and the chart. Returns what was
 * verified, and rejects at the first difference.
 */
export async function verifyRelease(
  release: Release,
  signing: Signing,
  options: readonly string[] = [],
): Promise<readonly string[]> {
  const checksums = join(release.output, "checksums.txt");
  await verifyFile(release, signing, checksums);
  const hashes = hashesOf(await readFile(checksums, "utf8"));
  for (const [name, hash] of hashes) await verifyHash(release, name, hash);
  const pushed = await pushedArtifacts(release);
  for (const artifact of pushed) await verifyPushed(release, signing, artifact);
  await verifyChart(release, hashes, options);
  return [...hashes.keys(), ...pushed.map(({ reference }) => `${release.registry}/${reference}`)];
}

const hashesOf = (text: string) =>
  new Map(
    text
      .trimEnd()
      .split("\n")
      .map((line) => [line.slice(66), line.slice(0, 64)] as const),
  );

async function verifyHash({ output }: Release, name: string, hash: string): Promise<void> {
  const actual = await sha256(join(output, name)).catch(() => undefined);
  if (actual === undefined)
    throw new Error(`${name} is in checksums.txt and not in ${output}: download all files of the release.`);
  if (actual !== hash)
    throw new Error(
      `${name} has the SHA-256 ${actual}, not ${hash} of checksums.txt: do not use it, download it again.`,
    );
}

/** The artifacts in the registry that the provenance names. */
async function pushedArtifacts({ output, registry, version }: Release): Promise<readonly Pushed[]> {
  const { subject }: Statement = JSON.parse(await readFile(join(output, provenanceFile), "utf8"));
  const pushed = subject
    .filter(({ name }) => name.startsWith(`${registry}/`))
    .map(({ name, digest }) => ({ reference: name.slice(registry.length + 1), digest: `sha256:${digest.sha256}` }));
  for (const expected of [`mlflow-operator:${version}`, chartOf(version)])
    if (!pushed.some(({ reference }) => reference === expected))
      throw new Error(
        `${provenanceFile} does not name ${registry}/${expected}: use --registry with the registry of the release, and the source of its version.`,
      );
  return pushed;
}

const chartOf = (version: string) => `charts/mlflow-operator:${version}`;

async function verifyPushed(release: Release, signing: Signing, { reference, digest }: Pushed): Promise<void> {
  const { registry, output } = release;
  const name = `${registry}/${reference}`;
  const found = await completed(await craneProgram(), ["digest", name], { env: process.env });
  if (found.code !== 0) throw new Error(`${name} cannot be read from the registry: ${found.stderr.trim()}`);
  if (found.stdout.trim() !== digest)
    throw new Error(
      `${name} has the digest ${found.stdout.trim()}, not ${digest} of the release: the tag was overwritten. Do not use it.`,
    );
  const artifact = `${registry}/${withoutTag(reference)}@${digest}`;
  await verifyArtifact(release, signing, artifact);
  const { predicate }: Statement = JSON.parse(await readFile(join(output, provenanceFile), "utf8"));
  await verifyStatement(release, signing, "slsaprovenance1", artifact, predicate);
  const sbom = sbomOf(reference);
  if (sbom !== undefined)
    await verifyStatement(
      release,
      signing,
      "spdxjson",
      artifact,
      JSON.parse(await readFile(join(output, sbom), "utf8")),
    );
}

async function verifyStatement(
  release: Release,
  signing: Signing,
  type: Parameters<typeof verifiedStatements>[2],
  artifact: string,
  expected: unknown,
): Promise<void> {
  const statements = await verifiedStatements(release, signing, type, artifact);
  if (!statements.some((each) => isDeepStrictEqual(each, expected)))
    throw new Error(
      `The signed statements (${type}) of ${artifact} differ from the files of the release: do not use it.`,
    );
}

/** Whether the chart in the registry is the published package. */
async function verifyChart(
  release: Release,
  hashes: ReadonlyMap<string, string>,
  options: readonly string[],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "verify-"));
  try {
    const file = await pullChart(release, folder, options);
    const name = `mlflow-operator-${release.version}.tgz`;
    if ((await sha256(file)) !== hashes.get(name))
      throw new Error(`The chart in the registry is not ${name} of checksums.txt: do not use it.`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { succeeded } from "../../test/control-plane/completed.ts";
import { provenanceFile, type Statement } from "./provenance.ts";
import type { Release } from "./release.ts";
import { cosignProgram } from "./tools.ts";

/** How a release is signed and verified. */
export interface Signing {
  /** The file of a key of cosign, the public one to verify. Without it the identity of the workflow is used (keyless). */
  readonly key?: string | undefined;
  /** Without Sigstore's transparency log, and without a request to Sigstore. Requires a key. */
  readonly isOffline: boolean;
}

/** The kinds of signed statements about an image or the chart, as cosign names them. */
export type StatementType = "spdxjson" | "slsaprovenance1";

/**
 * Signs the pushed images and the chart by digest, and checksums.txt. Attaches signed statements to them: the provenance to all, the lists of
 * packages to the images.
 */
export async function signRelease(release: Release, signing: Signing): Promise<void> {
  await withFolder(async (folder) => {
    const options = await signingOptions(signing, folder);
    const { predicate }: Statement = JSON.parse(await readFile(join(release.output, provenanceFile), "utf8"));
    await writeFile(join(folder, "provenance.json"), JSON.stringify(predicate));
    // One after another: without the referrers API of a registry, cosign rewrites one list for each artifact.
    for (const [reference, digest] of Object.entries(release.digests)) {
      const artifact = `${release.registry}/${withoutTag(reference)}@${digest}`;
      await cosign("sign", "--yes", ...options, artifact);
      await attest("slsaprovenance1", join(folder, "provenance.json"), options, artifact);
      const sbom = sbomOf(reference);
      if (sbom !== undefined) await attest("spdxjson", join(release.output, sbom), options, artifact);
    }
    const checksums = join(release.output, "checksums.txt");
    await cosign("sign-blob", "--yes", ...options, "--bundle", bundleOf(checksums), checksums);
  });
}

/** Rejects if the artifact, by digest, has no valid signature. */
export async function verifyArtifact(release: Release, signing: Signing, artifact: string): Promise<void> {
  await cosign("verify", ...verifyingOptions(release, signing), artifact);
}

/** Returns the content of the signed statements of a type about an artifact. Rejects if there is none with a valid signature. */
export async function verifiedStatements(
  release: Release,
  signing: Signing,
  type: StatementType,
  artifact: string,
): Promise<readonly unknown[]> {
  const output = await cosign("verify-attestation", ...verifyingOptions(release, signing), "--type", type, artifact);
  return output
    .trim()
    .split("\n")
    .map((line) => {
      const { payload }: { payload: string } = JSON.parse(line);
      const { predicate }: { predicate: unknown } = JSON.parse(Buffer.from(payload, "base64").toString("utf8"));
      return predicate;
    });
}

/** Rejects if the file has no valid signature in the bundle next to it. */
export async function verifyFile(release: Release, signing: Signing, file: string): Promise<void> {
  await cosign("verify-blob", ...verifyingOptions(release, signing), "--bundle", bundleOf(file), file);
}

/** Writes `cosign.key` and `cosign.pub` into a folder; `COSIGN_PASSWORD` encrypts the key. */
export async function writeKeys(folder: string): Promise<void> {
  if (process.env["COSIGN_PASSWORD"] === undefined)
    throw new Error("COSIGN_PASSWORD is not set: set it to the password that encrypts the key.");
  await succeeded(await cosignProgram(), ["generate-key-pair"], { cwd: folder, env: process.env });
}

/** The file with the list of packages of an image; the chart has none. */
export function sbomOf(reference: string): string | undefined {
  const [name = "", tag = ""] = reference.split(":");
  if (name.startsWith("charts/")) return undefined;
  return name === "mlflow-operator" ? `sbom-${name}.spdx.json` : `sbom-${name}-${tag}.spdx.json`;
}

export const withoutTag = (reference: string) => reference.replace(/:[^:/]*$/, "");

const bundleOf = (file: string) => `${file}.sigstore.json`;

async function signingOptions({ key, isOffline }: Signing, folder: string): Promise<readonly string[]> {
  const by = key === undefined ? [] : ["--key", key];
  if (!isOffline) return by;
  if (key === undefined)
    throw new Error("--offline requires --key: a keyless signature is made by Sigstore's services.");
  // No service of Sigstore: no log, no timestamps.
  const media = "application/vnd.dev.sigstore";
  const services = join(folder, "services.json");
  await writeFile(services, JSON.stringify({ mediaType: `${media}.signingconfig.v0.2+json` }));
  const trusted = join(folder, "trusted.json");
  await writeFile(trusted, JSON.stringify({ mediaType: `${media}.trustedroot+json;version=0.1` }));
  return [...by, "--signing-config", services, "--trusted-root", trusted];
}

function verifyingOptions({ repository, version }: Release, { key, isOffline }: Signing): readonly string[] {
  if (key !== undefined) return ["--key", key, ...(isOffline ? ["--insecure-ignore-tlog=true"] : [])];
  const workflow = `https://github.com/${repository}/.github/workflows/release.yml@refs/tags/v${version}`;
  return [
    ...["--certificate-identity", workflow],
    ...["--certificate-oidc-issuer", "https://token.actions.githubusercontent.com"],
  ];
}

async function attest(
  type: StatementType,
  predicate: string,
  options: readonly string[],
  artifact: string,
): Promise<void> {
  await cosign("attest", "--yes", ...options, "--type", type, "--predicate", predicate, artifact);
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "cosign-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function cosign(...args: readonly string[]): Promise<string> {
  return succeeded(await cosignProgram(), args, { env: process.env });
}

import { join } from "node:path";
import { succeeded } from "../../test/control-plane/completed.ts";
import type { Release } from "./release.ts";

/**
 * Signs the pushed images and charts by digest and the checksums of the files, with cosign from the PATH: with the identity of the
 * workflow (keyless), or with a key.
 */
export async function sign({ registry, output, digests }: Release, key?: string): Promise<void> {
  const by = key === undefined ? [] : ["--key", key];
  for (const [name, digest] of Object.entries(digests))
    await cosign("sign", "--yes", ...by, `${registry}/${name.replace(/:[^:]*$/, "")}@${digest}`);
  const checksums = join(output, "checksums.txt");
  await cosign("sign-blob", "--yes", ...by, "--bundle", `${checksums}.sigstore.json`, checksums);
}

/** Attaches the SBOM of the operator to its image, and those of the servers to theirs, as signed attestations. */
export async function attestSboms({ registry, output, digests }: Release, key?: string): Promise<void> {
  const by = key === undefined ? [] : ["--key", key];
  for (const [reference, digest] of Object.entries(digests)) {
    const [name = "", tag = ""] = reference.split(":");
    if (name.startsWith("charts/")) continue;
    const file = name === "mlflow-operator" ? `sbom-${name}.spdx.json` : `sbom-${name}-${tag}.spdx.json`;
    const predicate = ["--type", "spdxjson", "--predicate", join(output, file)];
    await cosign("attest", "--yes", ...by, ...predicate, `${registry}/${name}@${digest}`);
  }
}

async function cosign(...args: readonly string[]): Promise<void> {
  await succeeded("cosign", args, { env: process.env });
}

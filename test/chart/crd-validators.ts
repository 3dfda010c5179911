import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import { goPrograms } from "../control-plane/go-programs.ts";

const modules = join(import.meta.dirname, "../control-plane/go/crd-validation");

/** The oldest version of Chart.yaml, the last one with the stricter cost estimate of CEL, and the newest. */
export async function validatedVersions(): Promise<readonly string[]> {
  const entries = await readdir(modules, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

/** The CRD validation of the API server of one Kubernetes version, as a program; built once from Go modules in about a minute. */
export async function crdValidator(version: string, report: Report = reportOnStderr): Promise<string> {
  const programs = await goPrograms(
    {
      directory: join(modules, version),
      packages: { "crd-validation": "." },
      withoutGo: "The API server's validation of CRDs is built here with Go >= 1.26: install Go.",
    },
    report,
  );
  return programs["crd-validation"] ?? "";
}

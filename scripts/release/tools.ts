import { join } from "node:path";
import { type Report, reportOnStderr } from "../../test/control-plane/binaries.ts";
import { type GoModule, goPrograms } from "../../test/control-plane/go-programs.ts";

const modules = join(import.meta.dirname, "../../test/control-plane/go");

/** Programs for releases and for their tests; built once from Go modules in half a minute. */
export const releaseTools: GoModule = {
  directory: join(modules, "release-tools"),
  packages: {
    crane: "github.com/google/go-containerregistry/cmd/crane",
    actionlint: "github.com/rhysd/actionlint/cmd/actionlint",
  },
  withoutGo: "The tools of a release are built here with Go >= 1.26: install Go.",
};

/** Built once from its Go module, with three and a half minutes of CPU time. */
export const cosign: GoModule = {
  directory: join(modules, "cosign"),
  packages: { cosign: "github.com/sigstore/cosign/v3/cmd/cosign" },
  stamp: (version) => `-X sigs.k8s.io/release-utils/version.gitVersion=${version}`,
  withoutGo: "cosign, which signs and verifies releases, is built here with Go >= 1.26: install Go.",
};

/** The path of crane, which copies images between archives and registries. */
export async function craneProgram(report: Report = reportOnStderr): Promise<string> {
  return (await goPrograms(releaseTools, report))["crane"] ?? "";
}

/** The path of cosign. */
export async function cosignProgram(report: Report = reportOnStderr): Promise<string> {
  return (await goPrograms(cosign, report))["cosign"] ?? "";
}

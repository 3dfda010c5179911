import { join } from "node:path";
import { type Report, reportOnStderr } from "../../test/control-plane/binaries.ts";
import { type GoModule, goPrograms } from "../../test/control-plane/go-programs.ts";

/** Programs for releases and for their tests; built once from Go modules in half a minute. */
export const releaseTools: GoModule = {
  directory: join(import.meta.dirname, "../../test/control-plane/go/release-tools"),
  packages: {
    crane: "github.com/google/go-containerregistry/cmd/crane",
    actionlint: "github.com/rhysd/actionlint/cmd/actionlint",
  },
  withoutGo: "The tools of a release are built here with Go >= 1.26: install Go.",
};

/** The path of crane, which copies images between archives and registries. */
export async function craneProgram(report: Report = reportOnStderr): Promise<string> {
  return (await goPrograms(releaseTools, report))["crane"] ?? "";
}

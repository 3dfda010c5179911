import { join } from "node:path";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import { goPrograms } from "../control-plane/go-programs.ts";

/** A program that prints the kstatus of objects, which Flux and Helm wait for; built once from Go modules in half a minute. */
export async function kstatusProgram(report: Report = reportOnStderr): Promise<string> {
  const programs = await goPrograms(
    {
      directory: join(import.meta.dirname, "../control-plane/go/kstatus"),
      packages: { kstatus: "." },
      withoutGo: "kstatus is built here with Go >= 1.26: install Go.",
    },
    report,
  );
  return programs["kstatus"] ?? "";
}

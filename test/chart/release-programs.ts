import { join } from "node:path";
import { cosign, releaseTools } from "../../scripts/release/tools.ts";
import type { Report } from "../control-plane/binaries.ts";
import { type GoModule, goPrograms } from "../control-plane/go-programs.ts";

const modules = join(import.meta.dirname, "../control-plane/go");

const krew: GoModule = {
  directory: join(modules, "krew"),
  packages: {
    krew: "sigs.k8s.io/krew/cmd/krew",
    "validate-krew-manifest": "sigs.k8s.io/krew/cmd/validate-krew-manifest",
  },
};

const operatorVerify: GoModule = {
  directory: join(modules, "operator-verify"),
  packages: { "operator-verify": "github.com/operator-framework/api/cmd/operator-verify" },
};

/** The paths of programs that test what a release contains, by name. Built once from Go modules: about seven minutes of CPU time. */
export async function releasePrograms(report: Report): Promise<Readonly<Record<string, string>>> {
  const built = await Promise.all(
    [cosign, releaseTools, krew, operatorVerify].map((module) => goPrograms(module, report)),
  );
  return Object.assign({}, ...built);
}

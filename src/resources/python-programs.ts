import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Program } from "./pod/program.ts";

/** The files of python/src in JSON: the bundle contains them, so that the operator reads no file (scripts/build.ts). */
declare const bundledPythonTexts: string | undefined;

/** The files of python/src by their path in it. */
export const pythonTexts: Readonly<Record<string, string>> =
  typeof bundledPythonTexts === "undefined" ? sourceTexts() : JSON.parse(bundledPythonTexts);

/** Its part for `spec.access`. */
export const grantsFiles = filesFrom("mlflow_operator/grants");
const lateImports = "mlflow_late_imports.py";
/** The package around MLflow's application, without that part. */
export const middlewareFiles = {
  ...Object.fromEntries(Object.entries(filesFrom("mlflow_operator/")).filter(([path]) => !(path in grantsFiles))),
  ...filesFrom(lateImports),
};
/** The application of the listener for traces, which imports from the middleware. */
export const tracesFiles = filesFrom("mlflow_traces");

// Programs that run before MLflow or oauth2-proxy, with packages of MLflow's image.
export const migrateProgram = program("migrate.py", lateImports);
export const preflightProgram = program("preflight.py", lateImports, "migrate.py");
export const rotateProgram = program("rotate.py", lateImports, "migrate.py");
export const checkArtifactsProgram = program("check_artifacts.py", lateImports);
export const checkIssuersProgram = program("check_issuers.py");
export const checkRedisProgram = program("check_redis.py");

/** With what it has in common with them. */
export const collectGarbageProgram: Program = {
  text: text("collect_garbage.py"),
  modules: {
    ...migrateProgram.modules,
    check_artifacts: checkArtifactsProgram.text,
    migrate: migrateProgram.text,
  },
};
/** It imports what it has in common with the migration and the check of the artifact store. */
const backupImports = [lateImports, "check_artifacts.py", "migrate.py", "backup_retention.py"];
export const backupProgram = program("backup.py", ...backupImports);
const backupReader = [...backupImports, "backup.py", "backup_reader.py"];
export const verifyBackupProgram = program("verify_backup.py", ...backupReader);
export const restoreProgram = program(
  "restore.py",
  ...backupReader,
  "restore_artifacts.py",
  "restore_databases.py",
  "restore_summary.py",
);

/** Returns the files whose paths begin with the prefix, as Python finds them in a directory of its path. */
export function filesFrom(prefix: string): Readonly<Record<string, string>> {
  const found = Object.entries(pythonTexts).filter(([path]) => path.startsWith(prefix));
  if (found.length === 0) throw new Error(`python/src has no ${prefix}*.`);
  return Object.fromEntries(found);
}

function program(path: string, ...imported: readonly string[]): Program {
  const modules = ["mlflow_outcome.py", ...imported].map((each) => [each.replace(/[.]py$/, ""), text(each)]);
  return { text: text(path), modules: Object.fromEntries(modules) };
}

function text(path: string): string {
  const found = pythonTexts[path];
  if (found === undefined) throw new Error(`python/src has no ${path}.`);
  return found;
}

/** The same from the source, for example in tests. */
function sourceTexts(): Readonly<Record<string, string>> {
  const folder = join(import.meta.dirname, "../../python/src");
  const files = globSync("**/*.py", { cwd: folder }).toSorted();
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), "utf8")]));
}

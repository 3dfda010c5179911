import { join } from "node:path";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import { type Completed, completed } from "../control-plane/completed.ts";
import { builtHelm } from "../control-plane/go-build.ts";

/** Names the Helm that the tests of the chart use; else one is built once from Go modules. */
export const helmVariable = "MLFLOW_OPERATOR_TEST_HELM";

export const chart = join(import.meta.dirname, "../../charts/mlflow-operator");

/** The path of Helm 4. Rejects with a sentence that says what to install. */
export async function helmProgram(report: Report = reportOnStderr): Promise<string> {
  return process.env[helmVariable] || builtHelm(report);
}

export interface HelmOptions {
  /** Without it no cluster can be reached: the ambient kubeconfig is never read. */
  readonly kubeconfig?: string;
}

/** Runs Helm; a non-zero exit is a result, not an error. */
export async function helm(args: readonly string[], { kubeconfig }: HelmOptions = {}): Promise<Completed> {
  const cluster = kubeconfig === undefined ? [] : ["--kubeconfig", kubeconfig];
  // Neither somebody's Helm settings nor a kubeconfig takes part.
  return completed(await helmProgram(), [...cluster, ...args], { env: { HOME: "/nonexistent" } });
}

import { join } from "node:path";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import { type Completed, completed } from "../control-plane/completed.ts";
import { builtHelm } from "../control-plane/go-build.ts";

/** The path of the Helm that the tests of the chart use; if unset, it is built once from Go modules. */
export const helmVariable = "MLFLOW_OPERATOR_TEST_HELM";

export const chart = join(import.meta.dirname, "../../charts/mlflow-operator");

/** The path of Helm 4. Rejects with a message about what to install. */
export async function helmProgram(report: Report = reportOnStderr): Promise<string> {
  return process.env[helmVariable] || builtHelm(report);
}

export interface HelmOptions {
  /** If unset, no cluster is reachable: the default kubeconfig is never read. */
  readonly kubeconfig?: string;
}

/** Runs Helm; a non-zero exit is a result, not an error. */
export async function helm(args: readonly string[], { kubeconfig }: HelmOptions = {}): Promise<Completed> {
  const cluster = kubeconfig === undefined ? [] : ["--kubeconfig", kubeconfig];
  // The user's Helm settings and kubeconfig are not used.
  return completed(await helmProgram(), [...cluster, ...args], { env: { HOME: "/nonexistent" } });
}

import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { builtBinaries } from "./go-build.ts";

/** Programs of one Kubernetes version, by path. */
export interface Binaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubectl: string;
  /** Undefined if `KUBEBUILDER_ASSETS` does not have it, as with the archives of envtest. */
  readonly kubeControllerManager?: string;
}

/** Environment variable for the Kubernetes version of the tests, such as 1.30. Default: the version in go.mod. */
export const kubernetesVersionVariable = "MLFLOW_OPERATOR_TEST_KUBERNETES";

/** Receives a line of progress, without a newline. */
export type Report = (line: string) => void;

export const reportOnStderr: Report = (line) => {
  process.stderr.write(`${line}\n`);
};

/**
 * Returns the programs of the control plane: from the directory `KUBEBUILDER_ASSETS` if it is set, otherwise built once from Go
 * modules and cached. Rejects with a message what to install if neither is possible.
 */
export async function controlPlaneBinaries(report: Report = reportOnStderr): Promise<Binaries> {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  return assets ? binariesIn(assets) : builtBinaries(report, process.env[kubernetesVersionVariable] || undefined);
}

async function binariesIn(directory: string): Promise<Binaries> {
  const [etcd, kubeApiserver, kubectl, kubeControllerManager] = await Promise.all(
    ["etcd", "kube-apiserver", "kubectl", "kube-controller-manager"].map((name) => executable(join(directory, name))),
  );
  if (!etcd || !kubeApiserver || !kubectl)
    throw new Error(
      `KUBEBUILDER_ASSETS is "${directory}", which does not contain etcd, kube-apiserver or kubectl: correct or unset it.`,
    );
  return { etcd, kubeApiserver, kubectl, ...(kubeControllerManager && { kubeControllerManager }) };
}

/** Returns the path if it is an executable. */
export async function executable(path: string): Promise<string | undefined> {
  return access(path, constants.X_OK).then(
    () => path,
    () => undefined,
  );
}

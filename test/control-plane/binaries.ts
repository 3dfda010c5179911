import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { builtBinaries } from "./go-build.ts";

/** Programs of one Kubernetes version, by path. */
export interface Binaries {
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubectl: string;
  /** Absent where `KUBEBUILDER_ASSETS` has none, as with envtest's own archives. */
  readonly kubeControllerManager?: string;
}

/** Names the Kubernetes version of the control planes of the tests, such as 1.30, where it is not the default. */
export const kubernetesVersionVariable = "MLFLOW_OPERATOR_TEST_KUBERNETES";

/** Takes one line of progress, without its newline. */
export type Report = (line: string) => void;

export const reportOnStderr: Report = (line) => {
  process.stderr.write(`${line}\n`);
};

/**
 * The control plane's programs: those in the directory `KUBEBUILDER_ASSETS` if it is set, else built once from Go
 * modules and cached. Rejects with a sentence that says what to install when the machine can do neither.
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
      `KUBEBUILDER_ASSETS is "${directory}", which lacks etcd, kube-apiserver or kubectl: correct or unset it.`,
    );
  return { etcd, kubeApiserver, kubectl, ...(kubeControllerManager && { kubeControllerManager }) };
}

/** The path itself if a program is there. */
export async function executable(path: string): Promise<string | undefined> {
  return access(path, constants.X_OK).then(
    () => path,
    () => undefined,
  );
}

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Binaries, Report } from "./binaries.ts";
import { type GoModule, goPrograms } from "./go-programs.ts";

const controlPlane = ["kube-apiserver", "kube-controller-manager", "kubectl"] as const;
const node = ["kubelet", "kube-scheduler", "kube-proxy"] as const;

export type KubernetesProgram = (typeof controlPlane)[number] | (typeof node)[number];

/** Control plane and node are in one module, so they have one version. */
const kubernetes: GoModule = {
  directory: join(import.meta.dirname, "go", "kubernetes"),
  packages: Object.fromEntries([...controlPlane, ...node].map((name) => [name, `k8s.io/kubernetes/cmd/${name}`])),
  stamp: kubernetesStamp,
  isFirst: true,
  withoutGo:
    "A Kubernetes API server for the tests can be built here with Go >= 1.26: install Go, or set KUBEBUILDER_ASSETS to a directory with etcd, kube-apiserver and kubectl, or start Docker.",
};

const versions = join(import.meta.dirname, "go", "kubernetes-versions");

const etcd: GoModule = {
  directory: join(import.meta.dirname, "go", "etcd"),
  packages: { etcd: "go.etcd.io/etcd/server/v3" },
  isFirst: true,
};

const helm: GoModule = {
  directory: join(import.meta.dirname, "go", "helm"),
  packages: { helm: "helm.sh/helm/v4/cmd/helm" },
  stamp: (version) => `-X helm.sh/helm/v4/internal/version.version=${version}`,
  withoutGo:
    "Helm for the tests of the chart is built here with Go >= 1.26: install Go, or set MLFLOW_OPERATOR_TEST_HELM to the path of Helm 4.",
};

/** Builds the programs of the control plane once from the Go module proxy: about 7 minutes on 2 idle cores, with progress. */
export async function builtBinaries(report: Report, version?: string): Promise<Binaries> {
  const module = version === undefined ? kubernetes : await moduleOfVersion(version);
  return binariesOf(await builtKubernetes(report, module, controlPlane));
}

/** The same including the programs of a node, in one build. */
export async function builtWithNode(report: Report): Promise<Readonly<Record<string, string>>> {
  return builtKubernetes(report, kubernetes, [...controlPlane, ...node]);
}

/** The other Kubernetes versions for which a control plane can be built, such as 1.30. */
export async function otherVersions(): Promise<readonly string[]> {
  return (await readdir(versions)).sort();
}

async function moduleOfVersion(version: string): Promise<GoModule> {
  const known = await otherVersions();
  if (!known.includes(version))
    throw new Error(`No control plane of Kubernetes "${version}" can be built: use one of ${known.join(", ")}.`);
  return { ...kubernetes, directory: join(versions, version) };
}

async function builtKubernetes(
  report: Report,
  module: GoModule,
  names: readonly string[],
): Promise<Readonly<Record<string, string>>> {
  const built = await Promise.all([goPrograms(module, report, names), goPrograms(etcd, report)]);
  return Object.assign({}, ...built);
}

function binariesOf(paths: Readonly<Record<string, string>>): Binaries {
  return {
    kubeApiserver: paths["kube-apiserver"] ?? "",
    kubeControllerManager: paths["kube-controller-manager"] ?? "",
    kubectl: paths["kubectl"] ?? "",
    etcd: paths["etcd"] ?? "",
  };
}

/** Builds Helm once from the Go module proxy and returns its path: about 3 minutes on 2 idle cores, with progress. */
export async function builtHelm(report: Report): Promise<string> {
  return (await goPrograms(helm, report))["helm"] ?? "";
}

/** Without these flags the version is v0.0.0, which affects kubectl and feature gates. */
export function kubernetesStamp(version: string): string {
  const [major = "", minor = ""] = version.slice(1).split(".");
  return ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]
    .flatMap((at) => [
      `-X ${at}.gitVersion=${version}`,
      `-X ${at}.gitMajor=${major}`,
      `-X ${at}.gitMinor=${minor}`,
      `-X ${at}.gitTreeState=clean`,
      `-X ${at}.gitCommit=goproxy`,
    ])
    .join(" ");
}

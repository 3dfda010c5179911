import { join } from "node:path";
import type { Binaries, Report } from "./binaries.ts";
import { builtPrograms, type GoProgram, type GoPrograms } from "./go-programs.ts";

/** The longest build first: the rest share most of what it compiles. */
const controlPlane: GoPrograms = {
  title: "control plane",
  cache: "control-plane",
  programs: [
    ...["kube-apiserver", "kube-controller-manager", "kubectl"].map(
      (name): GoProgram => ({
        name,
        module: join(import.meta.dirname, "go", "kubernetes"),
        package: `k8s.io/kubernetes/cmd/${name}`,
        versionOf: "k8s.io/kubernetes",
        stamp: kubernetesStamp,
      }),
    ),
    {
      name: "etcd",
      module: join(import.meta.dirname, "go", "etcd"),
      package: "go.etcd.io/etcd/server/v3",
      versionOf: "go.etcd.io/etcd/server/v3",
    },
  ],
  takes: "about 7 minutes on 2 idle cores",
  withoutGo:
    "A Kubernetes API server for the tests can be built here with Go >= 1.26: install Go, or set KUBEBUILDER_ASSETS to a directory with etcd, kube-apiserver and kubectl, or start Docker.",
};

const helm: GoPrograms = {
  title: "Helm",
  cache: "helm",
  programs: [
    {
      name: "helm",
      module: join(import.meta.dirname, "go", "helm"),
      package: "helm.sh/helm/v4/cmd/helm",
      versionOf: "helm.sh/helm/v4",
      stamp: (version) => [`helm.sh/helm/v4/internal/version.version=${version}`],
    },
  ],
  takes: "about 3 minutes on 2 idle cores",
  withoutGo: "The tests of the chart build Helm with Go >= 1.26: install Go, or set HELM to the path of a helm 4.",
};

/** The control plane's programs, built once from the Go module proxy (minutes; each step is reported). */
export async function builtBinaries(report: Report): Promise<Binaries> {
  const [kubeApiserver = "", kubeControllerManager = "", kubectl = "", etcd = ""] = await builtPrograms(
    controlPlane,
    report,
  );
  return { kubeApiserver, kubeControllerManager, kubectl, etcd };
}

/** Helm's path, built once from the Go module proxy (minutes; each step is reported). */
export async function builtHelm(report: Report): Promise<string> {
  const [path = ""] = await builtPrograms(helm, report);
  return path;
}

/** Without it the programs call themselves v0.0.0, which kubectl and feature gates take at its word. */
function kubernetesStamp(version: string): readonly string[] {
  const [major = "", minor = ""] = version.slice(1).split(".");
  return ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((at) => [
    `${at}.gitVersion=${version}`,
    `${at}.gitMajor=${major}`,
    `${at}.gitMinor=${minor}`,
    `${at}.gitTreeState=clean`,
    `${at}.gitCommit=goproxy`,
  ]);
}

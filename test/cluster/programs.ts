import { join } from "node:path";
import type { Report } from "../control-plane/binaries.ts";
import { builtWithNode, type KubernetesProgram } from "../control-plane/go-build.ts";
import { type GoModule, goPrograms } from "../control-plane/go-programs.ts";

const folder = (name: string) => join(import.meta.dirname, "go", name);

const containerd = {
  directory: folder("containerd"),
  packages: {
    containerd: "github.com/containerd/containerd/v2/cmd/containerd",
    "containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
    ctr: "github.com/containerd/containerd/v2/cmd/ctr",
  },
  stamp: (version) => `-X github.com/containerd/containerd/v2/version.Version=${version}`,
} as const satisfies GoModule;

const coredns = {
  directory: folder("coredns"),
  packages: { coredns: "." },
} as const satisfies GoModule;

const volumeProvisioner = {
  directory: folder("volume-provisioner"),
  packages: { "volume-provisioner": "." },
} as const satisfies GoModule;

const metricsServer = {
  directory: folder("metrics-server"),
  packages: { "metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server" },
} as const satisfies GoModule;

const kubeRouter = {
  directory: folder("kube-router"),
  packages: { "kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router" },
} as const satisfies GoModule;

const pause = { directory: folder("pause"), packages: { pause: "." } } as const satisfies GoModule;

/** The Go modules of the cluster except Kubernetes and etcd; those with the longest builds first. */
const modules = [containerd, coredns, volumeProvisioner, metricsServer, kubeRouter, pause] as const;

type Packages<T> = T extends { readonly packages: infer P } ? keyof P : never;

/** The programs of the cluster: the control plane and the node. */
export type ProgramName = Packages<(typeof modules)[number]> | KubernetesProgram | "etcd";

/** The path of each program. */
export type Programs = (name: ProgramName) => string;

/** Returns all programs, from the cache or built once, which takes about ten minutes on two idle cores. */
export async function clusterPrograms(report: Report): Promise<Programs> {
  const built = await Promise.all([builtWithNode(report), ...modules.map((module) => goPrograms(module, report))]);
  const paths = new Map<string, string>(built.flatMap((programs) => Object.entries(programs)));
  return (name) => {
    const path = paths.get(name);
    if (path === undefined) throw new Error(`test/cluster/programs.ts does not build ${name}. Add it.`);
    return path;
  };
}

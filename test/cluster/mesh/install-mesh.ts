import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { helm } from "../../chart/helm.ts";
import { type Report, reportOnStderr } from "../../control-plane/binaries.ts";
import { type GoModule, goModuleFolder, goPrograms } from "../../control-plane/go-programs.ts";
import { eventually } from "../../support/eventually.ts";
import { clusterPaths } from "../cluster-paths.ts";
import type { Image } from "../image.ts";
import { applyDocuments, kubectl } from "../kubectl.ts";
import type { Cluster } from "../start-cluster.ts";
import { nftFiles } from "./nft.ts";
import { ztunnelProgram } from "./ztunnel.ts";

/** The namespace of Istio. */
export const meshNamespace = "istio-system";

const directory = join(import.meta.dirname, "..", "go", "istio");

const versionFlag = "-X istio.io/istio/pkg/version.buildVersion";

const istio = {
  directory,
  packages: {
    "pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery",
    "install-cni": "istio.io/istio/cni/cmd/install-cni",
    "istio-cni": "istio.io/istio/cni/cmd/istio-cni",
  },
  stamp: () => `${versionFlag}=1.31.0`,
} as const satisfies GoModule;

/**
 * The agent that starts Envoy in waypoints and sidecars. To an agent of version 1.29.1 istiod sends an identity as a string, which
 * every Envoy supports; to later versions in a form that only Istio's build of Envoy supports.
 */
const agent = {
  directory,
  packages: { "pilot-agent": "istio.io/istio/pilot/cmd/pilot-agent" },
  stamp: () => `${versionFlag}=1.29.1`,
} as const satisfies GoModule;

const folder = (name: string) => join(import.meta.dirname, "..", "images", name);

/** Returns the images of the mesh. Builds its programs the first time, which takes minutes. */
export async function meshImages(report: Report): Promise<readonly Image[]> {
  const programs = { ...(await goPrograms(istio, report)), ...(await goPrograms(agent, report)) };
  const of = (...names: readonly (keyof typeof programs)[]) =>
    Object.fromEntries(names.map((name) => [name, programs[name] ?? ""]));
  const bootstrap = join(await goModuleFolder(istio, "istio.io/istio"), "tools/packaging/common/envoy_bootstrap.json");
  return [
    { reference: "localhost/pilot:1", directory: folder("istio-pilot"), files: of("pilot-discovery") },
    {
      reference: "localhost/install-cni:1",
      directory: folder("istio-cni"),
      files: { ...of("install-cni", "istio-cni"), ...(await nftFiles()) },
      onDebian: true,
    },
    {
      reference: "localhost/proxyv2:1",
      directory: folder("istio-proxy"),
      files: { ...of("pilot-agent"), "envoy_bootstrap.json": bootstrap },
      onDebian: true,
    },
    {
      reference: "localhost/ztunnel:1",
      directory: folder("ztunnel"),
      files: { ztunnel: ztunnelProgram()?.path ?? "" },
      onDebian: true,
    },
  ];
}

/** The values of Istio's charts. */
const values = {
  profile: "ambient",
  global: {
    hub: "localhost",
    tag: "1",
    variant: "",
    imagePullPolicy: "IfNotPresent",
    nativeNftables: true,
    proxy: { resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: null } },
    waypoint: { resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: null } },
  },
  resources: { requests: { cpu: "10m", memory: "64Mi" } },
  autoscaleEnabled: false,
  // Telemetry requires extensions of Istio's build of Envoy.
  telemetry: { enabled: false },
  env: { PILOT_ENABLE_METADATA_EXCHANGE: "false", PILOT_ENABLE_ALPN_FILTER: "false" },
  meshConfig: { accessLogFile: "/dev/stdout" },
  // Pods with a sidecar need no init container for their network.
  cni: { enabled: true },
  // The agent of the node.
  cniBinDir: join(clusterPaths.state, "cni-bin"),
  cniConfDir: join(clusterPaths.state, "cni"),
  cniNetnsDir: "/run/netns",
  ambient: { shareHostNetworkNamespace: true, ipv6: false },
} as const;

const charts = [
  ["istio-base", "base"],
  ["istiod", "istio-control/istio-discovery"],
  ["istio-cni", "istio-cni"],
  ["ztunnel", "ztunnel"],
] as const;

/**
 * Installs Istio in ambient mode with its charts: istiod, istio-cni and ztunnel. Waypoints and sidecars
 * are Istio's agent with Envoy from PyPI. Resolves when all are ready.
 */
export async function installMesh(cluster: Cluster, report: Report = reportOnStderr): Promise<void> {
  for (const image of await meshImages(report)) await cluster.image(image);
  const [definitions, ...parts] = await documents();
  await applyDocuments(cluster, definitions);
  await kubectl(cluster, ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
  // A kind is established shortly before discovery shows it.
  for (const part of parts) await eventually(() => applyDocuments(cluster, part));
  for (const workload of ["deployment/istiod", "daemonset/istio-cni-node", "daemonset/ztunnel"])
    await kubectl(cluster, ["rollout", "status", workload, `--namespace=${meshNamespace}`, "--timeout=300s"]);
  report("cluster: Istio is installed");
}

/** Uninstalls Istio, with all objects of its kinds and of the Gateway API. */
export async function removeMesh(cluster: Cluster): Promise<void> {
  for (const part of (await documents()).reverse())
    await kubectl(cluster, ["delete", "--ignore-not-found", "--timeout=300s", "--filename=-"], part);
}

/** Returns the CRDs, and then the manifests of Istio, in the order of installation. */
async function documents(): Promise<[string, ...string[]]> {
  const namespace = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: meshNamespace } });
  const [base = "", ...others] = await Promise.all(charts.map(([release, chart]) => rendered(release, chart)));
  const settings = await readFile(join(import.meta.dirname, "without-extensions.yaml"), "utf8");
  return [`${await gatewayDefinitions()}\n---\n${namespace}\n---\n${base}`, ...others, settings];
}

async function gatewayDefinitions(): Promise<string> {
  const folder = join(await goModuleFolder(istio, "sigs.k8s.io/gateway-api"), "config", "crd", "standard");
  const names = (await readdir(folder)).filter((name) => name.startsWith("gateway.networking.k8s.io_"));
  return (await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")))).join("\n---\n");
}

async function rendered(release: string, chart: string): Promise<string> {
  const folder = join(await goModuleFolder(istio, "istio.io/istio"), "manifests", "charts", chart);
  const set = Object.entries(values).map(([key, value]) => `--set-json=${key}=${JSON.stringify(value)}`);
  const { code, stdout, stderr } = await helm([
    "template",
    release,
    folder,
    `--namespace=${meshNamespace}`,
    "--include-crds",
    ...set,
  ]);
  assert.equal(code, 0, stderr);
  return stdout;
}

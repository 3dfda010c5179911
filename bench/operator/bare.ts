import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { serverDefinition } from "../../src/api/server-definition.ts";
import { isKind, kinds, resourcePath } from "../../src/kube/kinds.ts";
import { label } from "../../src/kube/names.ts";
import type { KubeObject } from "../../src/kube/object.ts";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { succeeded } from "../../test/control-plane/completed.ts";
import { adminRequest } from "../admin-request.ts";
import type { Writes } from "./bare-writer.ts";
import type { Measuring } from "./measuring.ts";
import { ownedBy, serverNames } from "./servers.ts";

/** Prefix of the API group in which the bare client creates servers, so that the operator does not see them. */
const copyPrefix = "copy.";

/** Returns a server with its objects as a template. Call it once. */
export async function template(cluster: ClusterAccess): Promise<readonly KubeObject[]> {
  const { spec, metadata, ...definition } = serverDefinition();
  const group = `${copyPrefix}${spec.group}`;
  await adminRequest(cluster, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    ...definition,
    metadata: { ...metadata, name: `${spec.names.plural}.${group}` },
    spec: { ...spec, group },
  });
  const server = await adminRequest<KubeObject>(cluster, "GET", resourcePath("MlflowServer", "one", "mlflow"));
  const copy = { ...server, apiVersion: `${copyPrefix}${server.apiVersion}` };
  while ((await cluster.request("GET", collection(copy, "default"))).status !== 200) await sleep(100);
  return [copy, ...(await ownedBy(cluster, "one", "mlflow"))];
}

/** Returns the seconds in which a client without logic writes `count` servers of the template into a new namespace. */
export async function bareSeconds(
  { cluster, relay }: Measuring,
  namespace: string,
  objects: readonly KubeObject[],
  count: number,
): Promise<number> {
  await adminRequest(cluster, "POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  await adminRequest(cluster, "POST", resourcePath("ServiceAccount", namespace), { metadata: { name: "writer" } });
  await adminRequest(cluster, "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: namespace },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", name: "writer", namespace }],
  });
  const writes: Writes = {
    server: relay.url,
    token: await cluster.tokenFor(namespace, "writer"),
    ca: await readFile(cluster.caFile, "utf8"),
    concurrency: 16,
    groups: serverNames("copy", count).map((server) => objects.map((object) => copied(object, namespace, server))),
  };
  const script = join(import.meta.dirname, "bare-writer.ts");
  return Number(await succeeded(process.execPath, [script], { env: {}, stdin: JSON.stringify(writes) }));
}

function collection({ apiVersion, kind }: KubeObject, namespace: string): string {
  if (!isKind(kind)) throw new Error(`${kind} is not in the table of kinds.`);
  return resourcePath(kind, namespace).replace(kinds[kind].apiVersion, apiVersion);
}

function copied(object: KubeObject, namespace: string, server: string): { path: string; body: unknown } {
  const { kind, apiVersion, metadata, ...content }: KubeObject & { status?: unknown; spec?: unknown } = object;
  const { labels, annotations, ownerReferences } = metadata;
  const { status, ...wanted } = content;
  return {
    path: collection(object, namespace),
    body: {
      apiVersion,
      kind,
      metadata: {
        name: metadata.name.replace("mlflow", server),
        namespace,
        labels: { ...labels, [label.managedBy]: "another-operator" },
        annotations,
        ownerReferences,
      },
      ...withoutAllocations(kind, wanted),
    },
  };
}

/** Removes the fields that the API server allocates. */
function withoutAllocations(kind: string, content: { spec?: unknown }): object {
  const spec = typeof content.spec === "object" && content.spec !== null ? content.spec : undefined;
  if (spec === undefined) return content;
  if (kind === "Service") return { ...content, spec: { ...spec, clusterIP: undefined, clusterIPs: undefined } };
  if (kind === "Job") {
    const pod = Reflect.get(spec, "template");
    const metadata = { ...pod.metadata, labels: { copy: "copy" } };
    return { ...content, spec: { ...spec, selector: undefined, template: { ...pod, metadata } } };
  }
  return content;
}

import type { MlflowServer } from "../../api/server.ts";
import { authenticationMethod, discoveryURLOf } from "../../features/authentication/index.ts";
import type { ApiClient } from "../../kube/client/api-client.ts";
import { resourcePath } from "../../kube/kinds.ts";
import type { Deployment, Namespace, NetworkPolicy, Pod, Service } from "../../kube/manifests.ts";
import { label } from "../../kube/names.ts";
import { externalAddressOf } from "../../model/exposure.ts";
import { objectNames } from "../../model/names.ts";
import { eventsPath, type LiveEvent } from "../live/events.ts";
import { readList, readObject } from "../live/read.ts";
import type { DoctorFacts, EndpointSlice, Lease, ResourceQuota } from "./facts.ts";
import { type ProbeOptions, probeEndpoint, probeIssuer } from "./probe.ts";
import { type ReferencedContent, referencedContent, unsupportedText } from "./referenced-content.ts";

export interface DoctorInputs {
  readonly client: ApiClient;
  readonly server: MlflowServer;
  readonly probe: ProbeOptions;
  /** Whether the values of Secrets are returned, to remove them from texts. */
  readonly keepsValues: boolean;
}

/** Reads all that the checks need, with the user's own rights. */
export async function readFacts({
  client,
  server,
  probe,
  keepsValues,
}: DoctorInputs): Promise<{ readonly facts: DoctorFacts; readonly content: ReferencedContent }> {
  const content = await referencedContent(client, server, keepsValues);
  const outside = externalAddressOf(server);
  const probing = { ...probe, ca: [...probe.ca, ...content.caBundles] };
  const facts = {
    server,
    namespace: server.metadata.namespace,
    now: probe.now(),
    references: content.references,
    ...(await settled({
      ...objectsOf(client, server),
      ...operatorOf(client, server),
      endpoint: outside && probeEndpoint(outside.url, probe),
      issuers: issuersFacts(server, probing),
    })),
  };
  return { facts, content };
}

/** Waits for all properties at the same time. */
async function settled<T extends object>(values: T): Promise<{ [Key in keyof T]: Awaited<T[Key]> }> {
  const entries = Object.entries(values).map(async ([key, value]) => [key, await value]);
  return Object.fromEntries(await Promise.all(entries));
}

/** The objects in the namespace of the server. */
function objectsOf(client: ApiClient, { metadata: { name, namespace } }: MlflowServer) {
  const list = <T>(path: string, plural: string, selectors = {}) =>
    readList<T>(client, { path, text: `${plural} in namespace ${namespace}` }, selectors);
  const named = <T>(kind: "Deployment" | "Service", objectName: string) =>
    readObject<T>(client, {
      path: resourcePath(kind, namespace, objectName),
      text: `${kind}/${objectName} in namespace ${namespace}`,
    });
  return {
    events: list<LiveEvent>(eventsPath(namespace), "events"),
    pods: list<Pod>(resourcePath("Pod", namespace), "pods", { labelSelector: `${label.server}=${name}` }),
    deployment: named<Deployment>("Deployment", objectNames.deployment(name)),
    service: named<Service>("Service", objectNames.service(name)),
    slices: list<EndpointSlice>(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, "endpointslices", {
      labelSelector: `kubernetes.io/service-name=${objectNames.service(name)}`,
    }),
    quotas: list<ResourceQuota>(`/api/v1/namespaces/${namespace}/resourcequotas`, "resourcequotas"),
    namespaceObject: readObject<Namespace>(client, {
      path: `/api/v1/namespaces/${namespace}`,
      text: `Namespace/${namespace}`,
    }),
    policies: list<NetworkPolicy>(resourcePath("NetworkPolicy", namespace), "networkpolicies"),
  };
}

/** The objects of the operator that reconciles the server, if one does. */
function operatorOf(client: ApiClient, { status }: MlflowServer) {
  const [namespace, name] = status?.operator?.split("/") ?? [];
  return {
    lease:
      namespace === undefined || name === undefined
        ? undefined
        : readObject<Lease>(client, {
            path: resourcePath("Lease", namespace, name),
            text: `Lease/${name} in namespace ${namespace}`,
          }),
    operators:
      namespace === undefined
        ? undefined
        : readList<Deployment>(client, {
            path: resourcePath("Deployment", namespace),
            text: `deployments in namespace ${namespace}`,
          }),
  };
}

async function issuersFacts(server: MlflowServer, options: ProbeOptions): Promise<DoctorFacts["issuers"]> {
  const unsupported = unsupportedText(server);
  if (unsupported !== undefined) return { notRead: unsupported };
  return { value: await Promise.all(issuersOf(server).map((issuer) => probeIssuer(issuer, options))) };
}

/** The issuers of tokens except that of the API server, which only the cluster reaches. */
function issuersOf({ spec }: MlflowServer) {
  return authenticationMethod(spec)
    .issuers({ clusterDomain: "cluster.local" })
    .filter(({ isCluster }) => isCluster !== true)
    .flatMap((each) => {
      const url = discoveryURLOf(each);
      return URL.canParse(url) ? [{ issuer: each.issuer, url, path: each.path }] : [];
    });
}

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
  const { name, namespace } = server.metadata;
  const list = <T>(path: string, plural: string, selectors = {}) =>
    readList<T>(client, { path, text: `${plural} in namespace ${namespace}` }, selectors);
  const object = <T>(path: string, text: string) => readObject<T>(client, { path, text });
  const labelSelector = `${label.server}=${name}`;
  const content = await referencedContent(client, server, keepsValues);
  const [leaseNamespace, leaseName] = server.status?.operator?.split("/") ?? [];
  const outside = externalAddressOf(server);
  const probing = { ...probe, ca: [...probe.ca, ...content.caBundles] };
  const [
    events,
    pods,
    deployment,
    service,
    slices,
    quotas,
    namespaceObject,
    policies,
    lease,
    operators,
    endpoint,
    issuers,
  ] = await Promise.all([
    list<LiveEvent>(eventsPath(namespace), "events"),
    list<Pod>(resourcePath("Pod", namespace), "pods", { labelSelector }),
    object<Deployment>(
      resourcePath("Deployment", namespace, objectNames.deployment(name)),
      `Deployment/${objectNames.deployment(name)} in namespace ${namespace}`,
    ),
    object<Service>(
      resourcePath("Service", namespace, objectNames.service(name)),
      `Service/${objectNames.service(name)} in namespace ${namespace}`,
    ),
    list<EndpointSlice>(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, "endpointslices", {
      labelSelector: `kubernetes.io/service-name=${objectNames.service(name)}`,
    }),
    list<ResourceQuota>(`/api/v1/namespaces/${namespace}/resourcequotas`, "resourcequotas"),
    object<Namespace>(`/api/v1/namespaces/${namespace}`, `Namespace/${namespace}`),
    list<NetworkPolicy>(resourcePath("NetworkPolicy", namespace), "networkpolicies"),
    leaseNamespace === undefined || leaseName === undefined
      ? undefined
      : object<Lease>(
          resourcePath("Lease", leaseNamespace, leaseName),
          `Lease/${leaseName} in namespace ${leaseNamespace}`,
        ),
    leaseNamespace === undefined
      ? undefined
      : readList<Deployment>(client, {
          path: resourcePath("Deployment", leaseNamespace),
          text: `deployments in namespace ${leaseNamespace}`,
        }),
    outside && probeEndpoint(outside.url, probe),
    issuersFacts(server, probing),
  ]);
  const facts: DoctorFacts = {
    server,
    namespace,
    now: probe.now(),
    events,
    pods,
    deployment,
    service,
    slices,
    references: content.references,
    quotas,
    namespaceObject,
    policies,
    lease,
    operators,
    endpoint,
    issuers,
  };
  return { facts, content };
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

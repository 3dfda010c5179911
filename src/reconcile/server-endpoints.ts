import type { MlflowServer } from "../api/server.ts";
import { authenticationMethod } from "../features/authentication/index.ts";
import type { Owned, Pod, Service } from "../kube/manifests.ts";
import { servingPort } from "../model/addresses.ts";
import { objectNames, port, proxyPort } from "../model/names.ts";
import type { EndpointChecks, OtherPort, ProbedEndpoint } from "./endpoint-checks.ts";
import { podsOf } from "./server-workload.ts";

/** The number of pods that are probed. */
const maxPods = 4;
/** The number of pods for artifacts among them. */
const maxArtifactPods = 2;
/** The number of ports of one pod that are probed, besides that for clients. */
const maxPorts = 4;

/** The endpoints of a server that are probed; undefined while no pod is ready. */
export function serverEndpoints(server: MlflowServer, owned: readonly Owned[]): EndpointChecks | undefined {
  const ready = (component: string) =>
    podsOf(component, owned)
      .filter(isReady)
      .sort((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));
  const ofArtifacts = ready("artifacts").slice(0, maxArtifactPods);
  const pods = [...ready("server").slice(0, maxPods - ofArtifacts.length), ...ofArtifacts].flatMap((pod) =>
    endpointOf(pod, server),
  );
  if (pods.length === 0) return undefined;
  const { name, namespace, generation = 0 } = server.metadata;
  return {
    generation,
    scheme: server.spec.server?.tls === undefined ? "http" : "https",
    host: `${objectNames.service(name)}.${namespace}.svc:${port}`,
    expected: authenticationMethod(server.spec).unauthenticated,
    isInMesh: server.spec.mesh !== undefined,
    services: [objectNames.service(name), objectNames.artifactServer(name)].flatMap((each) =>
      serviceEndpoint(each, owned),
    ),
    pods,
  };
}

function isReady({ metadata, status }: Pod): boolean {
  const isTrue = status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;
  return isTrue && metadata.deletionTimestamp === undefined;
}

/** By address, so that no name must be resolved. */
function serviceEndpoint(name: string, owned: readonly Owned[]): ProbedEndpoint[] {
  const service = owned.find((object): object is Service => object.kind === "Service" && object.metadata.name === name);
  const host = service?.spec.clusterIP;
  if (host === undefined || host === "" || host === "None") return [];
  return [{ endpoint: { what: `Service/${name}`, host, port }, otherPorts: [] }];
}

/** Ports as the pod has them: it can be of an earlier spec, or changed by another client. */
function endpointOf({ metadata, spec, status }: Pod, server: MlflowServer): ProbedEndpoint[] {
  const host = status?.podIP;
  if (host === undefined) return [];
  const ports = (spec?.containers ?? []).flatMap(({ ports: all = [] }) => all).filter(isTcp);
  const serving = ports.find(({ name }) => name === "http")?.containerPort ?? servingPort(server);
  const ofMlflow: OtherPort[] = serving === proxyPort ? [{ number: port, isOfMlflow: true }] : [];
  const others = [...new Set(ports.map(({ containerPort }) => containerPort))]
    .filter((number) => number !== serving && number !== port)
    .slice(0, maxPorts)
    .map((number) => ({ number, isOfMlflow: false }));
  return [
    {
      endpoint: { what: `pod ${metadata.name}`, host, port: serving },
      otherPorts: [...ofMlflow, ...others],
    },
  ];
}

function isTcp({ protocol = "TCP" }: { readonly protocol?: string }): boolean {
  return protocol === "TCP";
}

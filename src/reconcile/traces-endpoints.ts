import type { MlflowServer } from "../api/server.ts";
import type { Owned, Pod } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { servingPort } from "../model/addresses.ts";
import { objectNames, port, tracesPort } from "../model/names.ts";
import { listenerOf } from "./mesh-view.ts";
import type { ProbeEndpoint } from "./probe.ts";

/** The number of pods of one kind that are probed: all pods of a kind have the same policies. */
const maxPods = 3;

/** The endpoints of a server at which the mesh must deny clients that are not writers, such as the operator. */
export function tracesEndpoints(server: MlflowServer, owned: readonly Owned[]): ProbeEndpoint[] {
  const { name, namespace } = server.metadata;
  const inPod = servingPort(server);
  const own = [service(objectNames.service(name), namespace, port), ...pods("server", inPod, owned)];
  if (listenerOf({ owned, server }) === undefined) return own;
  return [...own, service(objectNames.listener(name), namespace, tracesPort), ...pods("traces", tracesPort, owned)];
}

function service(name: string, namespace: string, at: number): ProbeEndpoint {
  return { what: `Service/${name}`, host: `${name}.${namespace}.svc`, port: at };
}

function pods(component: "server" | "traces", at: number, owned: readonly Owned[]): ProbeEndpoint[] {
  return owned
    .filter((object): object is Pod => object.kind === "Pod" && object.metadata.labels?.[label.component] === component)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap(({ metadata, status }) =>
      status?.podIP === undefined ? [] : [{ what: `pod ${metadata.name}`, host: status.podIP, port: at }],
    )
    .slice(0, maxPods);
}

import type { MlflowServer } from "../api/server.ts";
import type { Owned, Pod } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import { objectNames, port, tracesPort } from "../resources/names.ts";
import { servingPort } from "../resources/serving-port.ts";
import { listenerOf } from "./mesh-view.ts";

/** Where traces could be written to a server, as the network knows it. */
export interface TracesEndpoint {
  /** For people. */
  readonly what: string;
  readonly host: string;
  readonly port: number;
}

/** As many pods of a kind are knocked at: what lets somebody into one lets them into the others. */
const most = 3;

/** The endpoints of a server in a mesh that are shut to whoever is no writer, as the operator is none. */
export function tracesEndpoints(server: MlflowServer, owned: readonly Owned[]): TracesEndpoint[] {
  const { name, namespace = "default" } = server.metadata;
  const inPod = servingPort(server);
  const own = [service(objectNames.service(name), namespace, port), ...pods("server", inPod, owned)];
  if (listenerOf({ owned, server }) === undefined) return own;
  return [...own, service(objectNames.listener(name), namespace, tracesPort), ...pods("traces", tracesPort, owned)];
}

function service(name: string, namespace: string, at: number): TracesEndpoint {
  return { what: `Service/${name}`, host: `${name}.${namespace}.svc`, port: at };
}

function pods(component: "server" | "traces", at: number, owned: readonly Owned[]): TracesEndpoint[] {
  return owned
    .filter((object): object is Pod => object.kind === "Pod" && object.metadata.labels?.[label.component] === component)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap(({ metadata, status }) =>
      status?.podIP === undefined ? [] : [{ what: `pod ${metadata.name}`, host: status.podIP, port: at }],
    )
    .slice(0, most);
}

import { defaults } from "../api/defaults.ts";
import type { MlflowServer } from "../api/server.ts";
import type { Addresses } from "./addresses.ts";
import { externalAddressOf } from "./exposure.ts";
import { type MeshMode, type MeshStep, meshStepsOf } from "./mesh-steps.ts";
import type { Owner } from "./metadata.ts";
import { type Names, namesOf } from "./names.ts";
import { servingPort } from "./serving-port.ts";

/** What a spec says of the mesh. */
export interface MeshSettings {
  /** Undefined without a mesh. */
  readonly mode: MeshMode | undefined;
  /** The steps that enrol the server, in order. */
  readonly wantedSteps: readonly MeshStep[];
  /** The identity of the waypoint: Istio names its ServiceAccount after the Gateway. */
  readonly waypointPrincipal: string;
  /** The identities of the workloads that can write traces, and their namespaces. */
  readonly writerPrincipals: string[];
  readonly writerNamespaces: readonly string[];
}

/** What the objects of the mesh depend on. It follows from the spec alone, so that live objects are compared before a server is resolved. */
export interface MeshSubject {
  readonly owner: Owner;
  readonly names: Names;
  readonly addresses: Pick<Addresses, "prefix">;
  readonly servingPort: number;
  readonly isReplicated: boolean;
  readonly mesh: MeshSettings;
}

/** Returns what the objects of the mesh of a server depend on. */
export function meshSubject(server: MlflowServer): MeshSubject {
  const { metadata, spec } = server;
  const { name, namespace = "default" } = metadata;
  return {
    owner: server,
    names: namesOf(name, namespace),
    addresses: { prefix: externalAddressOf(server)?.prefix ?? "" },
    servingPort: servingPort(server),
    isReplicated: spec.replicas > 1,
    mesh: meshSettings(server),
  };
}

/** Returns what a spec says of the mesh. */
export function meshSettings(server: MlflowServer): MeshSettings {
  const { metadata, spec } = server;
  const { name, namespace = "default" } = metadata;
  const writers = spec.traces?.writers ?? [];
  // An exact principal: `serviceAccounts` in a policy would match any trust domain.
  const principal = (of: string, account: string) =>
    `${spec.mesh?.istio.trustDomain ?? defaults.trustDomain}/ns/${of}/sa/${account}`;
  return {
    mode: spec.mesh?.istio.mode,
    wantedSteps: meshStepsOf(server),
    waypointPrincipal: principal(namespace, namesOf(name, namespace).waypoint),
    writerPrincipals: writers.map((writer) => principal(writer.namespace, writer.serviceAccount)),
    writerNamespaces: [...new Set(writers.map((writer) => writer.namespace))].sort(),
  };
}

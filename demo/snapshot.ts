import type { MlflowServer } from "../src/api/server.ts";
import { kinds, kindsWith, rowOf } from "../src/kube/kinds.ts";
import type { Owned } from "../src/kube/manifests.ts";
import { managedSelector } from "../src/kube/names.ts";
import type { Kubectl } from "./kubectl.ts";
import { tree } from "./tree.ts";

/** The servers of a namespace, and the tree of their objects. */
export interface Snapshot {
  readonly servers: readonly MlflowServer[];
  readonly lines: readonly string[];
}

export async function snapshot(kubectl: Kubectl, namespace: string): Promise<Snapshot> {
  const get = ["get", "--namespace", namespace, "-o", "json"];
  const servers: MlflowServer[] = JSON.parse(await kubectl([...get, "mlflowservers"])).items;
  // kubectl returns nothing if one of the kinds is unknown.
  const known = [...kindsWith("owned"), ...kindsWith("observed")].filter((kind) => rowOf(kind).isOptional !== true);
  const plurals = known.map((kind) => kinds[kind].plural);
  const owned: Owned[] = JSON.parse(await kubectl([...get, plurals.join(","), "-l", managedSelector])).items;
  return { servers, lines: tree(servers, owned) };
}

/** The condition of a server for its current generation. */
export function conditionOf(server: MlflowServer | undefined, type: string) {
  const found = server?.status?.conditions?.find((condition) => condition.type === type);
  return found?.observedGeneration === server?.metadata.generation ? found : undefined;
}

export function isReady(server: MlflowServer): boolean {
  return conditionOf(server, "Ready")?.status === "True";
}

/** Whether the server is Ready or Stalled. */
export function isSettled(server: MlflowServer): boolean {
  return isReady(server) || conditionOf(server, "Stalled")?.status === "True";
}

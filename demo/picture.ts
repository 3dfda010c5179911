import type { MlflowServer } from "../src/api/server.ts";
import { kinds, kindsWith, rowOf } from "../src/kube/kinds.ts";
import type { Owned } from "../src/kube/manifests.ts";
import { managedSelector } from "../src/kube/names.ts";
import type { Kubectl } from "./kubectl.ts";
import { tree } from "./tree.ts";

/** The servers of a namespace, and the tree of what they own. */
export interface Picture {
  readonly servers: readonly MlflowServer[];
  readonly lines: readonly string[];
}

export async function picture(kubectl: Kubectl, namespace: string): Promise<Picture> {
  const get = ["get", "--namespace", namespace, "-o", "json"];
  const servers: MlflowServer[] = JSON.parse(await kubectl([...get, "mlflowservers"])).items;
  // kubectl gives nothing at all where it does not know one of the kinds.
  const known = [...kindsWith("owned"), ...kindsWith("observed")].filter((kind) => rowOf(kind).isOptional !== true);
  const plurals = known.map((kind) => kinds[kind].plural);
  const owned: Owned[] = JSON.parse(await kubectl([...get, plurals.join(","), "-l", managedSelector])).items;
  return { servers, lines: tree(servers, owned) };
}

/** The condition of a server, at its present generation. */
export function conditionOf(server: MlflowServer | undefined, type: string) {
  const found = server?.status?.conditions?.find((condition) => condition.type === type);
  return found?.observedGeneration === server?.metadata.generation ? found : undefined;
}

export function isReady(server: MlflowServer): boolean {
  return conditionOf(server, "Ready")?.status === "True";
}

/** Whether nothing more happens by itself. */
export function isSettled(server: MlflowServer): boolean {
  return isReady(server) || conditionOf(server, "Stalled")?.status === "True";
}

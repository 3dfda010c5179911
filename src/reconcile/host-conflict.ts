import type { MlflowServer } from "../api/server.ts";
import { keyText } from "../kube/object.ts";
import { addressesOf } from "../resources/exposure.ts";

/** An address that somebody else has. */
export interface HostConflict {
  readonly address: string;
  readonly winner: MlflowServer;
}

/**
 * An address that a server cannot have; one that it has, if there is such. Who has it, keeps it: otherwise whoever has an old server could take over the
 * host of any other by a change of its spec. What says so is the status, which nobody else can write, as they can routes of their
 * own. Between servers that have it both, or want it and neither has it, the older one wins; one that cannot have all that it wants
 * gets nothing, so it keeps nobody from the rest.
 */
export function hostConflict(own: MlflowServer, competitors: readonly MlflowServer[]): HostConflict | undefined {
  const all = [own, ...competitors];
  // Also of one that it wants no longer, and from which it still leads.
  const addresses = new Set([...(own.status?.addresses ?? []), ...addressesOf(own)]);
  for (const address of addresses) {
    const having = all.filter((each) => has(each, address));
    const wanting = all.filter((each) => addressesOf(each).includes(address) && (each === own || !isBlocked(each)));
    const [winner = own] = (having.length > 0 ? having : wanting).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    if (winner !== own) return { address, winner };
  }
  return undefined;
}

export function has({ status }: MlflowServer, address: string): boolean {
  return status?.addresses?.includes(address) === true;
}

/** Whether it has been found that a server, as it is now, cannot have all that it wants. */
export function isBlocked({ metadata, status }: MlflowServer): boolean {
  const found = status?.conditions?.find(({ type }) => type === "Exposed");
  return found?.reason === "HostConflict" && found.observedGeneration === (metadata.generation ?? 0);
}

/** By age; the name decides between those of one second. */
function rank({ metadata }: MlflowServer): string {
  const { namespace = "default", name, creationTimestamp = "" } = metadata;
  return `${creationTimestamp} ${keyText({ namespace, name })}`;
}

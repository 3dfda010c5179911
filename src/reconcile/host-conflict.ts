import type { MlflowServer } from "../api/server.ts";
import { keyText } from "../kube/object.ts";
import { addressesOf } from "../model/exposure.ts";

/** An address that another server has. */
export interface HostConflict {
  readonly address: string;
  readonly winner: MlflowServer;
}

/**
 * The first address of a server that another server has, preferring an address that this server already has. A server keeps the addresses in
 * its status, which users cannot write: otherwise an old server could get the host of another one by a change of its spec. If both
 * servers have an address, or both request it, the older one gets it. A server that cannot have all its addresses gets none,
 * so it does not block the others.
 */
export function hostConflict(own: MlflowServer, competitors: readonly MlflowServer[]): HostConflict | undefined {
  const all = [own, ...competitors];
  // Includes addresses that the spec no longer has while a route still uses them.
  const addresses = new Set([...(own.status?.addresses ?? []), ...addressesOf(own)]);
  for (const address of addresses) {
    const holders = all.filter((each) => hasAddress(each, address));
    const requesters = all.filter((each) => addressesOf(each).includes(address) && (each === own || !isBlocked(each)));
    const [winner = own] = (holders.length > 0 ? holders : requesters).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    if (winner !== own) return { address, winner };
  }
  return undefined;
}

export function hasAddress({ status }: MlflowServer, address: string): boolean {
  return status?.addresses?.includes(address) === true;
}

/** Whether `Exposed` reports a host conflict for the current generation. */
export function isBlocked({ metadata, status }: MlflowServer): boolean {
  const exposed = status?.conditions?.find(({ type }) => type === "Exposed");
  return exposed?.reason === "HostConflict" && exposed.observedGeneration === (metadata.generation ?? 0);
}

/** Sort key: the age, then the name. */
function rank({ metadata }: MlflowServer): string {
  const { namespace, name, creationTimestamp = "" } = metadata;
  return `${creationTimestamp} ${keyText({ namespace, name })}`;
}

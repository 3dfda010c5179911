import type { MlflowServer } from "../api/server.ts";
import type { HTTPRoute, Ingress, Owned } from "../kube/manifests.ts";
import { keyText } from "../kube/object.ts";
import { type Address, addressesOf, addressText, leadsFrom } from "../resources/exposure.ts";

/** A server that wants an address outside, and what it has. */
export interface Rival {
  readonly server: MlflowServer;
  readonly owned: readonly Owned[];
}

/** An address that somebody else has. */
export interface Loss {
  readonly address: Address;
  readonly winner: MlflowServer;
  /** Both have it, by writes of the same moment: the route must go. */
  readonly isLed: boolean;
}

/**
 * The first address that this server cannot have. Who is there stays: otherwise whoever has an old server could take over the
 * host of any other by a change of its spec. Between servers that are there both, or neither, the older one wins.
 */
export function lossOf(own: Rival, rivals: readonly Rival[]): Loss | undefined {
  for (const address of addressesOf(own.server)) {
    const wanting = [own, ...rivals.filter(({ server }) => addressesOf(server).some(isSame(address)))];
    const having = wanting.filter((each) => isLedTo(each, address));
    const [first = own] = (having.length > 0 ? having : wanting).sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    if (first !== own) return { address, winner: first.server, isLed: having.includes(own) };
  }
  return undefined;
}

function isLedTo({ owned }: Rival, address: Address): boolean {
  return owned.some((object) => isRoute(object) && leadsFrom(address, object));
}

export function isRoute(object: Owned): object is Ingress | HTTPRoute {
  return object.kind === "Ingress" || object.kind === "HTTPRoute";
}

function isSame(address: Address) {
  return (other: Address) => addressText(other) === addressText(address);
}

/** By age; the name decides between those of one second. */
function rank({ server: { metadata } }: Rival): string {
  const { namespace = "default", name, creationTimestamp = "" } = metadata;
  return `${creationTimestamp} ${keyText({ namespace, name })}`;
}

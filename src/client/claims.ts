import type { MlflowServer } from "../api/server.ts";
import { type Key, keyOf, keyText } from "../kube/object.ts";
import { isBlocked } from "../reconcile/addresses.ts";
import { addressesOf } from "../resources/exposure.ts";

/** Which servers want addresses outside the cluster, or have them. */
export interface Claims {
  /** Takes note of how a server is now; undefined is one that is not there any more. */
  noted(key: Key, server: MlflowServer | undefined): void;
  /** The other servers that want or have an address of this one. */
  rivals(key: Key): Key[];
}

/** `changed` is told the others at an address to which a server has come, that it has left, got or lost, or that it cannot have, or can. */
export function claims(changed: (key: Key) => void): Claims {
  const byAddress = new Map<string, Set<string>>();
  const byServer = new Map<string, Set<string>>();
  const had = new Map<string, Set<string>>();
  const blocked = new Set<string>();

  function others(own: string, addresses: Iterable<string>): Key[] {
    const found = new Set([...addresses].flatMap((address) => [...(byAddress.get(address) ?? [])]));
    found.delete(own);
    return [...found].map(keyOf);
  }

  return {
    noted: (key, server) => {
      const own = keyText(key);
      const former = byServer.get(own) ?? new Set();
      const has = new Set(server?.status?.addresses);
      const now = new Set(server === undefined ? [] : [...addressesOf(server), ...has]);
      const left = [...former].filter((address) => !now.has(address));
      const come = [...now].filter((address) => !former.has(address));
      const turned = [...now, ...former].filter(
        (address) => has.has(address) !== (had.get(own)?.has(address) ?? false),
      );
      for (const address of left) {
        byAddress.get(address)?.delete(own);
        if (byAddress.get(address)?.size === 0) byAddress.delete(address);
      }
      for (const address of come) byAddress.set(address, (byAddress.get(address) ?? new Set()).add(own));
      if (now.size > 0) byServer.set(own, now);
      else byServer.delete(own);
      if (has.size > 0) had.set(own, has);
      else had.delete(own);
      const wasBlocked = blocked.delete(own);
      if (server !== undefined && isBlocked(server)) blocked.add(own);
      const isNews = wasBlocked !== blocked.has(own);
      for (const other of others(own, isNews ? [...left, ...now] : [...left, ...come, ...turned])) changed(other);
    },
    rivals: (key) => others(keyText(key), byServer.get(keyText(key)) ?? []),
  };
}

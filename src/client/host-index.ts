import type { MlflowServer } from "../api/server.ts";
import { type Key, keyOf, keyText } from "../kube/object.ts";
import { addressesOf } from "../model/exposure.ts";
import { isBlocked } from "../reconcile/host-conflict.ts";

/** Index of the external addresses (host and path prefix) that servers request or have. */
export interface HostIndex {
  /** Updates the addresses of a server; undefined if it was deleted. */
  noted(key: Key, server: MlflowServer | undefined): void;
  /** The other servers that request or have an address of this server. */
  competitors(key: Key): Key[];
}

/** Returns an empty index. `changed` is called for each other server at an address whose requests or assignment have changed. */
export function hostIndex(changed: (key: Key) => void): HostIndex {
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
      const previous = byServer.get(own) ?? new Set();
      const has = new Set(server?.status?.addresses);
      const now = new Set(server === undefined ? [] : [...addressesOf(server), ...has]);
      const removed = [...previous].filter((address) => !now.has(address));
      const added = [...now].filter((address) => !previous.has(address));
      const reassigned = [...now, ...previous].filter(
        (address) => has.has(address) !== (had.get(own)?.has(address) ?? false),
      );
      for (const address of removed) {
        byAddress.get(address)?.delete(own);
        if (byAddress.get(address)?.size === 0) byAddress.delete(address);
      }
      for (const address of added) byAddress.set(address, (byAddress.get(address) ?? new Set()).add(own));
      if (now.size > 0) byServer.set(own, now);
      else byServer.delete(own);
      if (has.size > 0) had.set(own, has);
      else had.delete(own);
      const wasBlocked = blocked.delete(own);
      if (server !== undefined && isBlocked(server)) blocked.add(own);
      const isBlockedChanged = wasBlocked !== blocked.has(own);
      for (const other of others(own, isBlockedChanged ? [...removed, ...now] : [...removed, ...added, ...reassigned]))
        changed(other);
    },
    competitors: (key) => others(keyText(key), byServer.get(keyText(key)) ?? []),
  };
}

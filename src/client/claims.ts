import type { MlflowServer } from "../api/server.ts";
import { type Key, keyOf, keyText } from "../kube/object.ts";
import { addressesOf } from "../resources/exposure.ts";

/** Which servers want addresses outside the cluster, or have them. */
export interface Claims {
  /** Takes note of how a server is now; undefined is one that is not there any more. */
  noted(key: Key, server: MlflowServer | undefined): void;
  /** The other servers that want or have an address of this one. */
  rivals(key: Key): Key[];
}

/** `changed` is told the others at an address to which a server has come, or that it has left. */
export function claims(changed: (key: Key) => void): Claims {
  const byAddress = new Map<string, Set<string>>();
  const byServer = new Map<string, Set<string>>();

  function others(own: string, addresses: Iterable<string>): Key[] {
    const found = new Set([...addresses].flatMap((address) => [...(byAddress.get(address) ?? [])]));
    found.delete(own);
    return [...found].map(keyOf);
  }

  return {
    noted: (key, server) => {
      const own = keyText(key);
      const former = byServer.get(own) ?? new Set();
      const now = new Set(server === undefined ? [] : [...addressesOf(server), ...(server.status?.addresses ?? [])]);
      const left = [...former].filter((address) => !now.has(address));
      const come = [...now].filter((address) => !former.has(address));
      for (const address of left) {
        byAddress.get(address)?.delete(own);
        if (byAddress.get(address)?.size === 0) byAddress.delete(address);
      }
      for (const address of come) byAddress.set(address, (byAddress.get(address) ?? new Set()).add(own));
      if (now.size > 0) byServer.set(own, now);
      else byServer.delete(own);
      for (const other of others(own, [...left, ...come])) changed(other);
    },
    rivals: (key) => others(keyText(key), byServer.get(keyText(key)) ?? []),
  };
}

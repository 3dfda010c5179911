import { createHash } from "node:crypto";
import type { Manifest, Owned } from "../kube/manifests.ts";
import { difference } from "../reconcile/difference.ts";

/** Memory of writes that admission (a mutating webhook or policy) changed on their way, so that nobody fights it. */
export interface Overrulings {
  /** Takes note of the answer to an apply; returns the path of the first field that came out otherwise. */
  note(manifest: Manifest, answer: Owned): string | undefined;
  /** Whether this very manifest was applied to become this very version of the object, and came out otherwise. */
  holds(manifest: Manifest, live: Owned): boolean;
  forget(object: Owned): void;
}

export function overrulings(): Overrulings {
  /** By uid: the version that an apply led to, with a hash of what was applied. */
  const byUid = new Map<string, string>();
  const trace = (manifest: Manifest, { metadata }: Owned) =>
    `${metadata.resourceVersion} ${createHash("sha256").update(JSON.stringify(manifest)).digest("base64")}`;
  return {
    note: (manifest, answer) => {
      const { uid = "" } = answer.metadata;
      const path = difference(manifest, answer);
      if (path === undefined) byUid.delete(uid);
      else byUid.set(uid, trace(manifest, answer));
      return path;
    },
    holds: (manifest, live) => {
      const noted = byUid.get(live.metadata.uid ?? "");
      return noted !== undefined && noted === trace(manifest, live);
    },
    forget: ({ metadata }) => {
      byUid.delete(metadata.uid ?? "");
    },
  };
}

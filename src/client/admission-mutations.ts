import { createHash } from "node:crypto";
import type { Manifest, Owned } from "../kube/manifests.ts";
import { difference } from "../reconcile/difference.ts";

/** Records applies that admission (a mutating webhook or policy) changed, so that the operator does not repeat them. */
export interface AdmissionMutations {
  /** Records the response to an apply. Returns the path of the first field that admission changed. */
  note(manifest: Manifest, answer: Owned): string | undefined;
  /** Whether an apply of this manifest produced this version of the object, with changes by admission. */
  isMutated(manifest: Manifest, live: Owned): boolean;
  forget(object: Owned): void;
}

export function admissionMutations(): AdmissionMutations {
  /** By uid: the resource version after an apply, and a hash of the manifest. */
  const byUid = new Map<string, string>();
  const entryOf = (manifest: Manifest, { metadata }: Owned) =>
    `${metadata.resourceVersion} ${createHash("sha256").update(JSON.stringify(manifest)).digest("base64")}`;
  return {
    note: (manifest, answer) => {
      const { uid = "" } = answer.metadata;
      const path = difference(manifest, answer);
      if (path === undefined) byUid.delete(uid);
      else byUid.set(uid, entryOf(manifest, answer));
      return path;
    },
    isMutated: (manifest, live) => {
      const entry = byUid.get(live.metadata.uid ?? "");
      return entry !== undefined && entry === entryOf(manifest, live);
    },
    forget: ({ metadata }) => {
      byUid.delete(metadata.uid ?? "");
    },
  };
}

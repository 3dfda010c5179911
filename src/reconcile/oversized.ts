import { isCondensed } from "../kube/condensed.ts";
import type { Secret } from "../kube/manifests.ts";
import { type KubeObject, objectText } from "../kube/object.ts";
import type { Cause } from "./cause.ts";
import type { ObservedState } from "./observed-state.ts";
import { isStored } from "./ownership.ts";

/** The cause if an object is larger than the operator processes, so that its content is not in the cache. */
export function tooLarge(object: KubeObject): Cause {
  return {
    reason: "ObjectTooLarge",
    message: `${objectText(object)} has more than 256 KiB, which the operator does not process, so nothing is written for this server; what runs keeps running. Remove what was added to it: see kubectl get -o yaml`,
  };
}

/** The cause if another client has enlarged an object of the server, whose content is then unknown. */
export function oversizedObject({ owned }: ObservedState): Cause | undefined {
  const found = owned.find(({ omitted }) => omitted === "oversized");
  return found === undefined ? undefined : tooLarge(found);
}

/** The cause if a generated Secret has a value that is too long to be read. It must not be generated again. */
export function unreadableSecret({ owned, server }: ObservedState): Cause | undefined {
  const stored = owned.filter((object): object is Secret => object.kind === "Secret" && isStored(object, server));
  for (const { metadata, data = {} } of stored) {
    const key = Object.keys(data).find((each) => isCondensed(data[each]));
    if (key === undefined) continue;
    return {
      reason: "InvalidSecret",
      message: `Secret ${metadata.name}: the key ${key} has more than 4096 characters, so the operator does not read it and writes nothing for this server. Write a shorter value`,
    };
  }
  return undefined;
}

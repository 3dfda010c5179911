import { isCondensed } from "../kube/data.ts";
import type { Secret } from "../kube/manifests.ts";
import { type KubeObject, objectText } from "../kube/object.ts";
import { contentSize } from "../model/content.ts";
import type { References } from "../model/inputs.ts";
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

/** The maximum number of characters of all Secrets and ConfigMaps that one server refers to. */
export const mostReferenced = 4 * 2 ** 20;

/** The maximum number of objects that a message lists. */
const namesShown = 5;

/** The number of characters of all references that have been read. */
export function referencesSize(references: References): number {
  return sizes(references).reduce((sum, [, size]) => sum + size, 0);
}

/** The cause if the references of a server are larger than the operator reads. The rest has not been read, so nothing else is checked. */
export function referencesTooLarge({ references }: Pick<ObservedState, "references">): Cause | undefined {
  if (referencesSize(references) <= mostReferenced) return undefined;
  const largest = sizes(references).sort(([, a], [, b]) => b - a);
  const named = largest.slice(0, namesShown).map(([name, size]) => `${name} (${Math.ceil(size / 1024)} KiB)`);
  const more = largest.length > namesShown ? ", …" : "";
  return {
    reason: "ReferencesTooLarge",
    message: `The Secrets and ConfigMaps that the spec names have more than ${mostReferenced / 2 ** 20} MiB together: ${named.join(", ")}${more}. The operator writes nothing for this server. Refer to fewer or smaller ones`,
  };
}

function sizes({ secrets, configMaps }: References): [name: string, size: number][] {
  return [
    ...[...secrets].map(([name, secret]): [string, number] => [`Secret ${name}`, contentSize(secret)]),
    ...[...configMaps].map(([name, configMap]): [string, number] => [`ConfigMap ${name}`, contentSize(configMap)]),
  ];
}

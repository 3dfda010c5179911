import { contentSize } from "../model/content.ts";
import type { References } from "../model/inputs.ts";
import type { Cause } from "./cause.ts";
import type { ObservedState } from "./observed-state.ts";

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

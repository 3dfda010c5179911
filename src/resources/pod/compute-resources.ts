import type { V1ResourceRequirements } from "@kubernetes/client-node";
import type { Amounts } from "../../api/fields/amounts.ts";

/** A default request is left out beside a limit of the same resource, which it might be above; then that is the request. */
export function computeResources(
  byDefault: Amounts,
  { requests, limits }: { readonly requests?: Amounts | undefined; readonly limits?: Amounts | undefined } = {},
): V1ResourceRequirements {
  const usual = Object.entries(byDefault).filter(([name]) => limits?.[name] === undefined);
  return { requests: asText({ ...Object.fromEntries(usual), ...requests }), ...(limits && { limits: asText(limits) }) };
}

function asText(amounts: Amounts): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, String(amount)]));
}

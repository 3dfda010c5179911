import type { V1ResourceRequirements } from "@kubernetes/client-node";
import { defaults } from "../../api/defaults.ts";
import type { Amounts } from "../../api/fields/amounts.ts";
import type { ServerSettings } from "../../api/fields/server-settings.ts";

/** What the MLflow container requests where the spec says nothing: it grows with the workers and with jobs. */
export function defaultRequests({ workers = 1, jobExecution = false }: ServerSettings = {}): Amounts {
  const { requests, memoryOfWorker, memoryOfJobs } = defaults;
  const more = (workers - 1) * memoryOfWorker + (jobExecution ? memoryOfJobs : 0);
  return { ...requests, memory: `${Number.parseInt(requests.memory, 10) + more}Mi` };
}

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

import type { V1ResourceRequirements } from "@kubernetes/client-node";
import { defaults } from "../api/defaults.ts";
import type { Amounts } from "../api/fields/amounts.ts";
import type { ServerSettings } from "../api/fields/server-settings.ts";
import { quantityOf } from "../api/quantity.ts";
import type { MlflowServer } from "../api/server.ts";

interface Resources {
  readonly requests?: Amounts | undefined;
  readonly limits?: Amounts | undefined;
}

/** Returns the default requests of the MLflow container, which grow with workers and job execution. */
export function defaultRequests({ workers = 1, jobExecution = false }: ServerSettings = {}): Amounts {
  const { requests, memoryOfWorker, memoryOfJobs } = defaults;
  const more = (workers - 1) * memoryOfWorker + (jobExecution ? memoryOfJobs : 0);
  return { ...requests, memory: `${Number.parseInt(requests.memory, 10) + more}Mi` };
}

/**
 * Returns the resources with a default memory limit: without one, large requests of clients can use all memory of the node. It is
 * never below the request.
 */
export function withMemoryLimit(byDefault: Amounts, resources: Resources = {}): Resources {
  const { requests, limits } = resources;
  if (limits?.["memory"] !== undefined) return resources;
  const request = quantityOf(String(requests?.["memory"] ?? byDefault["memory"])) ?? 0;
  const mebibytes = Math.max(defaults.memoryLimit, Math.ceil((2 * request) / 2 ** 20));
  const requested = requests?.["memory"] ?? byDefault["memory"] ?? "";
  return { requests: { ...requests, memory: requested }, limits: { ...limits, memory: `${mebibytes}Mi` } };
}

/** Returns the resources of the spec with default requests. A limit without a request does not become the request. */
export function computeResources(byDefault: Amounts, { requests, limits }: Resources = {}): V1ResourceRequirements {
  const all = { ...requestsWithin(byDefault, limits), ...requests };
  return { requests: asText(all), ...(limits && { limits: asText(limits) }) };
}

/** Returns the default requests, lowered to the limits where these are less. */
function requestsWithin(byDefault: Amounts, limits: Amounts = {}): Amounts {
  const within = ([name, amount]: [string, Amounts[string]]): [string, Amounts[string]] => {
    const limit = limits[name] ?? amount;
    return [name, (quantityOf(String(limit)) ?? 0) < (quantityOf(String(amount)) ?? 0) ? limit : amount];
  };
  return Object.fromEntries(Object.entries(byDefault).map(within));
}

/** Resources for which a ResourceQuota or LimitRange can require a limit in each container. */
const common = ["cpu", "memory", "ephemeral-storage"];

/**
 * Returns the resources of a container that runs to completion: `spec.pod.setupResources`, otherwise its default requests with the
 * limits of MLflow's container, because a quota requires limits in every container. A default request is never above a limit.
 */
export function setupResources(
  { server }: { readonly server: Pick<MlflowServer, "spec"> },
  byDefault: Readonly<Record<string, string>>,
): V1ResourceRequirements {
  const { setupResources: own, resources } = server.spec.pod ?? {};
  if (own !== undefined) return computeResources(byDefault, own);
  const { limits: ofServer = {} } = withMemoryLimit(defaultRequests(server.spec.server), resources);
  const limits = Object.fromEntries(Object.entries(ofServer).filter(([name]) => common.includes(name)));
  return { requests: asText(requestsWithin(byDefault, limits)), limits: asText(limits) };
}

function asText(amounts: Amounts): Record<string, string> {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, String(amount)]));
}

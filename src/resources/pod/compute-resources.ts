import type { V1ResourceRequirements } from "@kubernetes/client-node";
import { defaults } from "../../api/defaults.ts";
import type { Amounts } from "../../api/fields/amounts.ts";
import type { ServerSettings } from "../../api/fields/server-settings.ts";
import { quantityOf } from "../../api/quantity.ts";
import type { MlflowServer } from "../../api/server.ts";

interface Resources {
  readonly requests?: Amounts | undefined;
  readonly limits?: Amounts | undefined;
}

/** What the MLflow container requests where the spec says nothing: it grows with the workers and with jobs. */
export function defaultRequests({ workers = 1, jobExecution = false }: ServerSettings = {}): Amounts {
  const { requests, memoryOfWorker, memoryOfJobs } = defaults;
  const more = (workers - 1) * memoryOfWorker + (jobExecution ? memoryOfJobs : 0);
  return { ...requests, memory: `${Number.parseInt(requests.memory, 10) + more}Mi` };
}

/**
 * The limit of memory where the spec has none: with what clients send, MLflow takes the node's memory otherwise. It is never below the
 * request.
 */
export function withMemoryLimit(byDefault: Amounts, resources: Resources = {}): Resources {
  const { requests, limits } = resources;
  if (limits?.["memory"] !== undefined) return resources;
  const request = quantityOf(String(requests?.["memory"] ?? byDefault["memory"])) ?? 0;
  const mebibytes = Math.max(defaults.memoryLimit, Math.ceil((2 * request) / 2 ** 20));
  const requested = requests?.["memory"] ?? byDefault["memory"] ?? "";
  return { requests: { ...requests, memory: requested }, limits: { ...limits, memory: `${mebibytes}Mi` } };
}

/** The default requests beside what the spec says. A limit alone does not become the request, as it would without a default. */
export function computeResources(byDefault: Amounts, { requests, limits }: Resources = {}): V1ResourceRequirements {
  const all = { ...requestsWithin(byDefault, limits), ...requests };
  return { requests: asText(all), ...(limits && { limits: asText(limits) }) };
}

/** Default requests, each lowered to the limit where that is less. */
function requestsWithin(byDefault: Amounts, limits: Amounts = {}): Amounts {
  const within = ([name, amount]: [string, Amounts[string]]): [string, Amounts[string]] => {
    const limit = limits[name] ?? amount;
    return [name, (quantityOf(String(limit)) ?? 0) < (quantityOf(String(amount)) ?? 0) ? limit : amount];
  };
  return Object.fromEntries(Object.entries(byDefault).map(within));
}

/** Of these a quota or a LimitRange may ask each container for a limit. */
const common = ["cpu", "memory", "ephemeral-storage"];

/**
 * Resources of a container that runs to completion: those of `spec.pod.setupResources`, else its default requests with the limits
 * of MLflow's container, since a quota asks every container for limits. A default request is never above a limit.
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

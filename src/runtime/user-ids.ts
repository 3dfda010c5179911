import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../kube/client/api-client.ts";
import { backoffMilliseconds, retryBounds } from "../kube/client/backoff.ts";
import { isApiError, messageOf } from "../kube/errors.ts";
import type { UserIDs } from "../model/inputs.ts";
import type { Log } from "./log.ts";

/** OpenShift's SecurityContextConstraints assign the user and groups of pods, from a range of the namespace. Other kinds of the group do not. */
const assigning = { group: "security.openshift.io", resource: "securitycontextconstraints" };

/** Seconds between attempts. */
const bounds = { first: 0.5, longest: 10 };

/**
 * Returns who decides the user and group of pods on this platform, from what the API server serves, which all authenticated users can read: an
 * API group with the name of OpenShift's and without SecurityContextConstraints is no OpenShift. Retries until the API server answers. Undefined if `signal` is aborted before.
 */
export async function platformUserIDs(client: ApiClient, signal: AbortSignal, log: Log): Promise<UserIDs | undefined> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      return (await hasConstraints(client, signal)) ? "namespace" : "fixed";
    } catch (error) {
      if (signal.aborted) return undefined;
      if (isApiError(error, 403)) {
        log.warn({}, "the API groups of the cluster cannot be read, so pods get fixed user ids: set --user-ids");
        return "fixed";
      }
      log.warn({ error: messageOf(error) }, "the API groups of the cluster could not be read; trying again");
      const delay = backoffMilliseconds(failures, bounds, retryBounds(error).least);
      await sleep(delay, undefined, { signal }).catch(() => undefined);
    }
  }
  return undefined;
}

interface Groups {
  readonly groups: readonly {
    readonly name: string;
    readonly versions?: readonly { readonly groupVersion: string }[];
  }[];
}

async function hasConstraints(client: ApiClient, signal: AbortSignal): Promise<boolean> {
  const { groups } = await client.request<Groups>({ method: "GET", path: "/apis", signal });
  const { versions = [] } = groups.find(({ name }) => name === assigning.group) ?? {};
  for (const { groupVersion } of versions) {
    const path = `/apis/${groupVersion}`;
    const found = await client.request<{ readonly resources?: readonly { readonly name: string }[] }>({
      method: "GET",
      path,
      signal,
    });
    if (found.resources?.some(({ name }) => name === assigning.resource)) return true;
  }
  return false;
}

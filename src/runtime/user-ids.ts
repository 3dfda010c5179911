import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "../kube/client/api-client.ts";
import { backoffMilliseconds, retryBounds } from "../kube/client/backoff.ts";
import { isApiError, messageOf } from "../kube/errors.ts";
import type { UserIDs } from "../model/inputs.ts";
import type { Log } from "./log.ts";

/** The API group of OpenShift's SecurityContextConstraints. They assign the user and groups of pods, from a range of the namespace. */
const assigningGroup = "security.openshift.io";

/** Seconds between attempts. */
const bounds = { first: 0.5, longest: 10 };

/**
 * Returns who decides the user and group of pods on this platform, from the API server's list of API groups, which all authenticated users can
 * read. Retries until the API server answers. Undefined if `signal` is aborted before.
 */
export async function platformUserIDs(client: ApiClient, signal: AbortSignal, log: Log): Promise<UserIDs | undefined> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      const { groups } = await client.request<{ readonly groups: readonly { readonly name: string }[] }>({
        method: "GET",
        path: "/apis",
        signal,
      });
      return groups.some(({ name }) => name === assigningGroup) ? "namespace" : "fixed";
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

import type { ApiClient } from "../kube/client/api-client.ts";
import { messageOf } from "../kube/errors.ts";
import { resourcePath } from "../kube/kinds.ts";
import type { KubeObject } from "../kube/object.ts";
import { shortText } from "../reconcile/pod-failure.ts";
import type { Warning } from "../reconcile/warnings.ts";

/** Reads the Warning Events of one object, from the API server or a short-lived cache. */
export type ReadWarnings = (object: KubeObject) => Promise<readonly Warning[]>;

/** Events are not watched. Reconciliations are more frequent than new Events. */
const freshMilliseconds = 5000;
const keptMilliseconds = 60_000;
/** Limits of the Events of an object that are read, and of those that are kept. */
const readLimit = 50;
const kept = 3;

interface EventPart {
  readonly reason?: string;
  readonly note?: string;
  readonly eventTime?: string | null;
  readonly deprecatedLastTimestamp?: string | null;
  readonly series?: { readonly lastObservedTime?: string } | null;
  readonly metadata?: { readonly creationTimestamp?: string };
}

export function warningsReader(client: ApiClient, onFailure: (message: string) => void): ReadWarnings {
  const recent = new Map<string, { readonly at: number; readonly warnings: Promise<readonly Warning[]> }>();

  async function fetched({ metadata: { namespace, uid } }: KubeObject): Promise<readonly Warning[]> {
    const query = { fieldSelector: `regarding.uid=${uid},type=Warning`, limit: String(readLimit) };
    try {
      const path = resourcePath("Event", namespace);
      const { items = [] } = await client.request<{ items?: readonly EventPart[] }>({ method: "GET", path, query });
      return items
        .map(warningOf)
        .sort((a, b) => (a.time < b.time ? 1 : -1))
        .slice(0, kept);
    } catch (error) {
      // Events only add detail to the status, so a reconciliation must not fail because of them.
      onFailure(messageOf(error));
      return [];
    }
  }

  return (object) => {
    const now = performance.now();
    for (const [uid, { at }] of recent) if (now - at > keptMilliseconds) recent.delete(uid);
    const { uid = "" } = object.metadata;
    const known = recent.get(uid);
    if (known !== undefined && now - known.at < freshMilliseconds) return known.warnings;
    const warnings = fetched(object);
    recent.set(uid, { at: now, warnings });
    return warnings;
  };
}

function warningOf(event: EventPart): Warning {
  const { reason = "", note, eventTime, deprecatedLastTimestamp, series, metadata } = event;
  const time = series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? metadata?.creationTimestamp ?? "";
  return { reason: shortText(reason), message: shortText(note), time };
}

import { excerpt } from "../../kube/excerpt.ts";
import { isKind, resourcePath } from "../../kube/kinds.ts";
import type { Key, KubeObject } from "../../kube/object.ts";
import { isNameOf } from "../../model/names.ts";

/** The path of the Events of a namespace. */
export const eventsPath = (namespace: string) => resourcePath("Event", namespace);

/** An Event of events.k8s.io/v1. Those of older clients have the fields that are deprecated. */
export interface LiveEvent extends KubeObject {
  readonly type?: string;
  readonly reason?: string;
  readonly note?: string;
  readonly eventTime?: string | null;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string };
  readonly deprecatedLastTimestamp?: string | null;
  readonly deprecatedCount?: number;
  readonly regarding?: { readonly kind?: string; readonly name?: string };
}

/** An Event, for output. */
export interface EventSummary {
  readonly lastSeen: string;
  readonly type: string;
  readonly reason: string;
  readonly object: string;
  readonly count: number;
  readonly message: string;
}

/** Returns the Events of a server and its objects, the last first. */
export function eventsOf(events: readonly LiveEvent[], server: Key): EventSummary[] {
  return events
    .filter(({ regarding }) => concerns(regarding?.kind ?? "", regarding?.name ?? "", server))
    .map(summaryOf)
    .sort((one, other) => Date.parse(other.lastSeen) - Date.parse(one.lastSeen));
}

function summaryOf(event: LiveEvent): EventSummary {
  const { metadata, type = "", reason = "", note, series, eventTime, regarding } = event;
  return {
    lastSeen:
      series?.lastObservedTime ?? event.deprecatedLastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "",
    type: excerpt(type, 20),
    reason: excerpt(reason, 128),
    object: excerpt(`${regarding?.kind}/${regarding?.name}`),
    count: series?.count ?? event.deprecatedCount ?? 1,
    message: excerpt(note, 1024),
  };
}

/** Whether an Event about an object of this kind and name concerns a server: pods and ReplicaSets are recognized after their end too. */
function concerns(kind: string, name: string, server: Key): boolean {
  if (kind === "MlflowServer") return name === server.name;
  if (kind !== "Pod" && kind !== "ReplicaSet")
    return isKind(kind) && isNameOf({ apiVersion: "", kind, metadata: { name } }, server);
  const suffix = name.startsWith(`${server.name}-`) ? name.slice(server.name.length + 1) : "";
  const ofDeployment =
    kind === "Pod" ? /^(artifacts-|traces-)?[a-z0-9]{5,10}-[a-z0-9]{5}$/ : /^(artifacts-|traces-)?[a-z0-9]{5,10}$/;
  return ofDeployment.test(suffix) || (kind === "Pod" && /^migrate-[a-z0-9]+-[a-z0-9]{5}$/.test(suffix));
}

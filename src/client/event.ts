import { randomInt } from "node:crypto";
import type { CustomResource } from "../api/definitions.ts";
import { apiVersion } from "../api/server.ts";
import { kinds } from "../kube/kinds.ts";
import { manager } from "../kube/names.ts";
import type { ReportedEvent } from "../reconcile/cluster.ts";

/** Limit of `note` (events.k8s.io/v1). */
const longestNote = 1024;

/** Returns an Event of events.k8s.io/v1 about an object. `instance` is the name of the pod of this operator. */
export function event(
  { kind, metadata: of }: Pick<CustomResource, "kind" | "metadata">,
  reported: ReportedEvent,
  instance: string,
  now: Date,
) {
  const { name, namespace, uid, resourceVersion } = of;
  const { type, reason, action, message } = reported;
  return {
    apiVersion: kinds.Event.apiVersion,
    kind: "Event",
    metadata: { name: `${name}.${timestampSuffix(now)}`, namespace },
    // metav1.MicroTime requires exactly six fractional digits.
    eventTime: now.toISOString().replace("Z", "000Z"),
    reportingController: manager,
    reportingInstance: instance.slice(0, 128),
    type,
    reason,
    action,
    regarding: {
      apiVersion,
      kind,
      name,
      namespace,
      uid,
      resourceVersion,
    },
    note: cut(message, longestNote),
  };
}

/**
 * Returns the time in hexadecimal nanoseconds, as in the Event names of client-go; the digits below a millisecond are
 * random. `kubectl describe` sorts Events of this API by name.
 */
function timestampSuffix(now: Date): string {
  const nanoseconds = BigInt(now.getTime()) * 1_000_000n + BigInt(randomInt(1_000_000));
  return nanoseconds.toString(16).padStart(16, "0");
}

/** Truncates to a number of bytes of UTF-8, at a character boundary. */
function cut(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  const ellipsis = "…";
  let end = bytes - Buffer.byteLength(ellipsis);
  // A byte 10xxxxxx continues a character.
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${encoded.subarray(0, end).toString("utf8")}${ellipsis}`;
}

import { randomInt } from "node:crypto";
import type { MlflowServer } from "../api/server.ts";
import { kinds } from "../kube/kinds.ts";
import { manager } from "../kube/names.ts";
import type { Notice } from "../reconcile/cluster.ts";

/** Limit of `note` (events.k8s.io/v1). */
const longestNote = 1024;

/** An Event of events.k8s.io/v1 about a server. `instance` names this operator among its replicas. */
export function event(server: Pick<MlflowServer, "metadata">, notice: Notice, instance: string, now: Date) {
  const { name, namespace, uid, resourceVersion } = server.metadata;
  const { type, reason, action, message } = notice;
  return {
    apiVersion: kinds.Event.apiVersion,
    kind: "Event",
    metadata: { name: `${name}.${momentText(now)}`, namespace },
    // metav1.MicroTime has six digits after the point, and parses no other number of them.
    eventTime: now.toISOString().replace("Z", "000Z"),
    reportingController: manager,
    reportingInstance: instance.slice(0, 128),
    type,
    reason,
    action,
    regarding: {
      apiVersion: kinds.MlflowServer.apiVersion,
      kind: "MlflowServer",
      name,
      namespace,
      uid,
      resourceVersion,
    },
    note: cut(message, longestNote),
  };
}

/**
 * The moment in hexadecimal nanoseconds, as client-go has it in the names of events; what is below a millisecond is
 * random. `kubectl describe` shows events of this API in the order of their names.
 */
function momentText(now: Date): string {
  const nanoseconds = BigInt(now.getTime()) * 1_000_000n + BigInt(randomInt(1_000_000));
  return nanoseconds.toString(16).padStart(16, "0");
}

/** At most so many bytes of UTF-8, never half a character. */
function cut(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  const ellipsis = "…";
  let end = bytes - Buffer.byteLength(ellipsis);
  // A byte 10xxxxxx continues a character.
  while (end > 0 && ((encoded[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${encoded.subarray(0, end).toString("utf8")}${ellipsis}`;
}

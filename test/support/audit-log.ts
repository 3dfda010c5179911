import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";

/** One request in the audit log of the API server; a watch is one call however long it is open. */
export interface Call {
  readonly verb: string;
  /** Empty for paths that are not a resource, such as `/version`. */
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** HTTP status of the response, 0 if there was none. */
  readonly code: number;
  /** Denied by authorization, not by a quota, an admission policy or a terminating namespace. */
  readonly isForbidden: boolean;
  readonly user: string;
  readonly userAgent: string;
  /** Path and query. */
  readonly uri: string;
  /** When the API server received it. */
  readonly time: Date;
}

/** A position in the log, in bytes from its start. */
export type Mark = number;

/** Which calls to return. Omitted fields match all. */
export interface CallFilter {
  /** Calls after this position in the log. */
  readonly since?: Mark;
  /** Only this user, as the API server knows it: `jane`, `system:serviceaccount:ns:name`. */
  readonly user?: string;
  /** Only user agents with this prefix. */
  readonly userAgent?: string;
  readonly exclude?: (call: Call) => boolean;
}

export interface AuditLog {
  /** The current end of the log, after all completed calls. */
  readonly mark: () => Promise<Mark>;
  /** Calls in the order of their responses (for a watch, the start of its response), including each call that was completed before. */
  readonly calls: (filter?: CallFilter) => Promise<readonly Call[]>;
}

/**
 * Reads calls from the audit log of `cluster`. The API server writes a line shortly after its response, so each read first makes a sentinel
 * request and waits until it is in the log; sentinel requests are not returned.
 */
export function auditLog(cluster: ClusterAccess): AuditLog {
  if (!cluster.auditLogPath)
    throw new Error("This cluster was started without an audit log: start it with auditLog: true.");
  return {
    mark: async () => (await readToSentinel(cluster, Number.POSITIVE_INFINITY)).end,
    calls: async (filter = {}) => {
      const { events } = await readToSentinel(cluster, filter.since ?? 0);
      return callsOf(events).filter((call) => counts(call, filter));
    },
  };
}

function counts(call: Call, { user, userAgent, exclude }: CallFilter): boolean {
  if (call.uri.startsWith(sentinelPath)) return false;
  if (user !== undefined && call.user !== user) return false;
  if (userAgent !== undefined && !call.userAgent.startsWith(userAgent)) return false;
  return !exclude?.(call);
}

const sentinelPath = "/version?audit-log-sentinel=";

/** The fields of `audit.k8s.io/v1` Event that are read here. */
interface AuditEvent {
  readonly auditID: string;
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly requestReceivedTimestamp: string;
  readonly userAgent?: string;
  readonly user?: { readonly username?: string };
  readonly impersonatedUser?: { readonly username?: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Returns the events from `since` (at most the current end of the log) up to a sentinel request. */
async function readToSentinel(
  cluster: ClusterAccess,
  since: Mark,
): Promise<{ events: readonly AuditEvent[]; end: Mark }> {
  const file = await open(cluster.auditLogPath, "r");
  try {
    const from = Math.min(since, (await file.stat()).size);
    const sentinel = `${sentinelPath}${randomUUID()}`;
    const { status } = await cluster.request("GET", sentinel);
    if (status !== 200) throw new Error(`The API server responded to the sentinel request with ${status}.`);
    const deadline = Date.now() + 60_000;
    for (;;) {
      const length = (await file.stat()).size - from;
      const { buffer } = await file.read(Buffer.alloc(length), 0, length, from);
      const at = buffer.indexOf(sentinel);
      const end = at < 0 ? -1 : buffer.indexOf("\n", at);
      if (end >= 0)
        return { events: buffer.toString("utf8", 0, end).split("\n").filter(isWhole).map(parsed), end: from + end + 1 };
      if (Date.now() > deadline)
        throw new Error(`The request ${sentinel} did not appear in ${cluster.auditLogPath} within a minute.`);
      await sleep(20);
    }
  } finally {
    await file.close();
  }
}

/** A mark can be within a line that is being written; such a line is before the mark. */
const isWhole = (line: string) => line.startsWith("{") && line.endsWith("}");

function parsed(line: string): AuditEvent {
  return JSON.parse(line);
}

function callsOf(events: readonly AuditEvent[]): readonly Call[] {
  // A watch has one line when its response starts and another, with the same id, when it ends.
  const first = new Map<string, AuditEvent>();
  for (const event of events)
    if (!first.has(event.auditID) && !endsEarlierWatch(event)) first.set(event.auditID, event);
  return [...first.values()].map((event) => ({
    verb: event.verb,
    resource: event.objectRef?.resource ?? "",
    subresource: event.objectRef?.subresource ?? "",
    namespace: event.objectRef?.namespace ?? "",
    name: event.objectRef?.name ?? "",
    code: event.responseStatus?.code ?? 0,
    isForbidden: event.annotations?.["authorization.k8s.io/decision"] === "forbid",
    user: event.impersonatedUser?.username ?? event.user?.username ?? "",
    userAgent: event.userAgent ?? "",
    uri: event.requestURI,
    time: new Date(event.requestReceivedTimestamp),
  }));
}

/** Whether this is the end of a watch that was opened before the mark. A rejected watch has only this line, with another code. */
function endsEarlierWatch(event: AuditEvent): boolean {
  return event.verb === "watch" && event.stage === "ResponseComplete" && event.responseStatus?.code === 200;
}

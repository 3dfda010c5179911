import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { errorEvent, type Fault, type FaultRule, failureStatus, type ProxiedRequest } from "./fault.ts";
import { agentsFor, certified, endToEnd, forward, servingOptions } from "./front-proxy.ts";
import { type Relay, relay } from "./relay.ts";

export interface FaultHandle {
  /** How often the rule was applied. */
  readonly hits: () => number;
  /** Resolves with the first request to which it is applied. */
  readonly first: Promise<ProxiedRequest>;
  readonly remove: () => void;
}

export interface FaultProxy {
  /** For `kubeconfigFor(identity, proxy.url)`. */
  readonly url: string;
  /** Adds a fault for later requests. The first matching rule applies. */
  readonly fault: (rule: FaultRule) => FaultHandle;
  /** Applies a fault to responses in progress, such as open watches. Returns their number. */
  readonly interrupt: (
    fault: Fault & { kind: "cut" | "hang" | "end" | "error-event" },
    when?: FaultRule["when"],
  ) => number;
  /** Removes all rules. Hanging requests continue to hang. */
  readonly clear: () => void;
  /** All requests so far, in the order they came. */
  readonly requests: readonly ProxiedRequest[];
  /** TCP connections accepted so far and open now. */
  readonly sockets: { readonly accepted: () => number; readonly open: () => number };
  readonly close: () => Promise<void>;
}

interface ActiveRule extends FaultRule {
  seen: number;
  hits: number;
  readonly onApplied: (request: ProxiedRequest) => void;
}

/**
 * Starts an HTTPS proxy in front of the API server of `cluster` that injects faults. The API server trusts it as an
 * authenticating proxy (request headers), so client certificates work through it and
 * the audit log has the same users; bearer tokens are forwarded. HTTP/1.1, no upgrades (exec, port-forward).
 */
export async function startFaultProxy(cluster: ClusterAccess): Promise<FaultProxy> {
  const agents = await agentsFor(cluster);
  const rules: ActiveRule[] = [];
  const requests: ProxiedRequest[] = [];
  const streams = new Map<Relay, ProxiedRequest>();
  const open = new Set<Socket>();
  let accepted = 0;

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const seen = describe(incoming, requests.length + 1);
    requests.push(seen);
    const fault = matchingFault(rules, seen);
    outgoing.on("error", () => {});
    if (await applyFault("request", fault, seen, outgoing)) return;
    const answer = await forward(cluster.url, agents, incoming, outgoing, seen.user);
    if (await applyFault("response", fault, seen, outgoing)) return;
    outgoing.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
    const stream = relay(answer, outgoing, fault);
    streams.set(stream, seen);
    outgoing.on("close", () => streams.delete(stream));
  };

  const server = createServer(await servingOptions(cluster), (incoming, outgoing) => {
    // The API server or the client has closed: the other connection is closed, as without a proxy.
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.on("connection", (socket: Socket) => {
    accepted += 1;
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("The fault proxy has no port.");

  return {
    url: `https://127.0.0.1:${bound.port}`,
    fault: (rule) => {
      const { promise, resolve } = Promise.withResolvers<ProxiedRequest>();
      const active: ActiveRule = { ...rule, seen: 0, hits: 0, onApplied: resolve };
      rules.push(active);
      return {
        hits: () => active.hits,
        first: promise,
        remove: () => void (rules.includes(active) && rules.splice(rules.indexOf(active), 1)),
      };
    },
    interrupt: (fault, when = () => true) => {
      const chosen = [...streams].filter(([, request]) => when(request));
      for (const [stream] of chosen) stream.apply(fault);
      return chosen.length;
    },
    clear: () => void rules.splice(0),
    requests,
    sockets: { accepted: () => accepted, open: () => open.size },
    close: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      agents.asProxy.destroy();
      agents.withoutIdentity.destroy();
      if (open.size > 0 || server.listening) await once(server, "close");
    },
  };
}

/** Returns the fault of the first matching rule, and counts the request for each matching rule. */
function matchingFault(rules: readonly ActiveRule[], request: ProxiedRequest): Fault | undefined {
  const matching = rules.filter(({ when }) => !when || when(request));
  for (const rule of matching) rule.seen += 1;
  const rule = matching.find(({ nth, times, seen, hits }) => (nth ?? seen) === seen && hits < (times ?? hits + 1));
  if (!rule) return undefined;
  rule.hits += 1;
  rule.onApplied(request);
  return rule.fault;
}

/** Applies the fault. Returns whether the request is complete. */
async function applyFault(
  moment: "request" | "response",
  fault: Fault | undefined,
  request: ProxiedRequest,
  outgoing: ServerResponse,
): Promise<boolean> {
  if (!fault) return false;
  if (fault.kind === "status") {
    const { code, retryAfterSeconds, message } = fault;
    const body = JSON.stringify(failureStatus(code, message, retryAfterSeconds));
    const retry = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
    outgoing.writeHead(code, { "content-type": "application/json", ...retry }).end(body);
    return true;
  }
  if (fault.kind === "error-event" && fault.isWhole) {
    const text = errorEvent(fault.code);
    outgoing
      .writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
      .end(text);
    return true;
  }
  if ((fault.kind === "error-event" ? undefined : (fault.at ?? "request")) !== moment) return false;
  if (fault.kind === "delay") await sleep(fault.milliseconds);
  // An aborted request is not forwarded.
  if (outgoing.destroyed) return true;
  const cut = fault.kind === "cut" || (fault.kind === "run" && (await fault.run(request)) === "cut");
  if (cut) outgoing.destroy();
  return cut || fault.kind === "hang";
}

function describe(incoming: IncomingMessage, number: number): ProxiedRequest {
  const url = new URL(incoming.url ?? "/", "https://localhost");
  return {
    number,
    method: incoming.method ?? "",
    path: url.pathname,
    query: url.searchParams,
    watch: /^(1|true)$/.test(url.searchParams.get("watch") ?? ""),
    user: incoming.headers.authorization ? "" : (certified(incoming).names[0] ?? ""),
    userAgent: incoming.headers["user-agent"] ?? "",
  };
}

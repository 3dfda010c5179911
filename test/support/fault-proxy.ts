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
  /** How often the rule has struck. */
  readonly hits: () => number;
  /** Resolves with the request that it strikes first. */
  readonly first: Promise<ProxiedRequest>;
  readonly remove: () => void;
}

export interface FaultProxy {
  /** To be given to `kubeconfigFor(identity, proxy.url)`. */
  readonly url: string;
  /** Faults for requests that are yet to come. The first rule that was set and fits is the one that counts. */
  readonly fault: (rule: FaultRule) => FaultHandle;
  /** Strikes answers that are under way, such as open watches; gives their number. */
  readonly interrupt: (
    fault: Fault & { kind: "cut" | "hang" | "end" | "error-event" },
    when?: FaultRule["when"],
  ) => number;
  /** Removes all rules. What hangs goes on hanging. */
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
  readonly struck: (request: ProxiedRequest) => void;
}

/**
 * An HTTPS proxy in front of the API server of `cluster` that does harm on demand. The API server believes it as it
 * does any authenticating proxy (the request-header scheme), so that the same client certificates work through it and
 * its audit log names the same users; bearer tokens are passed on. HTTP/1.1, no upgrades (exec, port-forward).
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
    const fault = strikingFault(rules, seen);
    outgoing.on("error", () => {});
    if (await strikesAt("request", fault, seen, outgoing)) return;
    const answer = await forward(cluster.url, agents, incoming, outgoing, seen.user);
    if (await strikesAt("response", fault, seen, outgoing)) return;
    outgoing.writeHead(answer.statusCode ?? 502, endToEnd(answer.headers));
    const stream = relay(answer, outgoing, fault);
    streams.set(stream, seen);
    outgoing.on("close", () => streams.delete(stream));
  };

  const server = createServer(await servingOptions(cluster), (incoming, outgoing) => {
    // The API server is gone or the client is: either way its connection breaks, as it would without a proxy.
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
  if (bound === null || typeof bound === "string") throw new Error("The fault proxy got no port.");

  return {
    url: `https://127.0.0.1:${bound.port}`,
    fault: (rule) => {
      const { promise, resolve } = Promise.withResolvers<ProxiedRequest>();
      const active: ActiveRule = { ...rule, seen: 0, hits: 0, struck: resolve };
      rules.push(active);
      return {
        hits: () => active.hits,
        first: promise,
        remove: () => void (rules.includes(active) && rules.splice(rules.indexOf(active), 1)),
      };
    },
    interrupt: (fault, when = () => true) => {
      const chosen = [...streams].filter(([, request]) => when(request));
      for (const [stream] of chosen) stream.strike(fault);
      return chosen.length;
    },
    clear: () => void rules.splice(0),
    requests,
    sockets: { accepted: () => accepted, open: () => open.size },
    close: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      agents.asProxy.destroy();
      agents.asNobody.destroy();
      if (open.size > 0 || server.listening) await once(server, "close");
    },
  };
}

/** The fault of the first rule that fits, counting the request on every rule that picks it. */
function strikingFault(rules: readonly ActiveRule[], request: ProxiedRequest): Fault | undefined {
  const picking = rules.filter(({ when }) => !when || when(request));
  for (const rule of picking) rule.seen += 1;
  const rule = picking.find(({ nth, times, seen, hits }) => (nth ?? seen) === seen && hits < (times ?? hits + 1));
  if (!rule) return undefined;
  rule.hits += 1;
  rule.struck(request);
  return rule.fault;
}

/** Whether the fault leaves nothing more to do for this request. */
async function strikesAt(
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
  // What its client has given up meanwhile goes no further.
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

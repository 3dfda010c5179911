import {
  checkRequest,
  type EndpointChecks,
  type EndpointResults,
  type ProbedEndpoint,
  portRequest,
  portVerdict,
  roundResults,
  selectedChecks,
  textsOf,
  type Verdict,
  verdictOf,
  verdictPrefix,
} from "../reconcile/endpoint-checks.ts";
import { lateText, type SendProbe } from "../reconcile/probe.ts";
import { fairLimiter } from "./fair-limiter.ts";
import { type Round, type Rounds, roundNotEnded } from "./prober.ts";

export interface EndpointTiming {
  /** Interval of the rounds. An endpoint that opens is reported after at most this time, a tenth more, and `confirmSeconds`. */
  readonly intervalSeconds: number;
  /** Delay of the second round after a first one with an unexpected answer, or without an answer. */
  readonly confirmSeconds: number;
  readonly timeoutSeconds: number;
  /** Timeout of requests to ports that must be closed, which network policies usually drop. */
  readonly portTimeoutSeconds: number;
  /** Timeout of all requests to the port for clients of one endpoint in one round. Default: 20. */
  readonly endpointSeconds?: number;
  /** Seconds after which a round that has not ended is reported. Default: that of the prober. */
  readonly lateSeconds?: number;
}

const defaultTiming: EndpointTiming = {
  intervalSeconds: 30,
  confirmSeconds: 2,
  timeoutSeconds: 10,
  portTimeoutSeconds: 3,
};

/** Consecutive rounds without an answer that are reported. */
const roundsWithoutAnswer = 4;

/** Rare checks are sent in the first round, and in one of so many. */
const rareRounds = 20;

const defaultEndpointSeconds = 20;

/** Maximum numbers of endpoints of all servers, and of those in one namespace, that are probed at the same time. */
const limits = { most: 32, mostOfGroup: 8 };

/**
 * The probes of the endpoints of servers, as an unauthenticated client. A round sends the most important check to each endpoint, and the
 * others to one pod, since all pods of a server are equal.
 */
export function endpointRounds(
  send: SendProbe,
  timing: EndpointTiming = defaultTiming,
): Rounds<EndpointChecks, EndpointResults> {
  const limited = fairLimiter(limits);
  const { lateSeconds } = timing;
  return {
    run: async (checks, round) => {
      const all = [...checks.services, ...checks.pods];
      const probe = async (at: ProbedEndpoint) =>
        round.isCurrent() ? verdictsOf({ checks, at, round, send, timing }) : [];
      const found = await Promise.all(all.map((at) => limited(round.key.namespace, () => probe(at))));
      return roundResults(checks, Object.fromEntries(found.flat()), round.before);
    },
    unknown: ({ generation }) => ({ generation, verdicts: { round: { result: "failed", text: roundNotEnded } } }),
    ...(lateSeconds !== undefined && { lateSeconds }),
    roundsToReport: (results) => {
      if (textsOf(results, "open").length > 0 || textsOf(results, "unexpected").length > 0) return 2;
      // A busy server, or one that restarts, answers a moment later.
      return textsOf(results, "failed").length > 0 ? roundsWithoutAnswer : 1;
    },
    interval: () => timing.intervalSeconds,
    confirmSeconds: timing.confirmSeconds,
  };
}

/** The probes of one endpoint in one round. */
interface EndpointProbes {
  readonly checks: EndpointChecks;
  readonly at: ProbedEndpoint;
  readonly round: Round<EndpointResults>;
  readonly send: SendProbe;
  readonly timing: EndpointTiming;
}

/** Sends the requests to an endpoint: those to the port for clients one after the other, then those to ports that must be closed. */
async function verdictsOf(probes: EndpointProbes): Promise<[string, Verdict][]> {
  const { checks, at, send, timing } = probes;
  const found = await clientVerdicts(probes);
  const { isInMesh } = checks;
  const isReached = found.some(([id, { result }]) => id !== timeID && result !== "failed");
  const ports = at.otherPorts.map(async (port): Promise<[string, Verdict]> => {
    const request = portRequest(checks, at.endpoint, port.number);
    const answer = await send(request, timing.portTimeoutSeconds);
    return [`port:${port.number}`, portVerdict(port, request, answer, { isInMesh, isReached })];
  });
  return [...found, ...(await Promise.all(ports))].map(([id, verdict]) => [`${verdictPrefix(at)}${id}`, verdict]);
}

/** The verdict whether all requests to an endpoint were answered in time. */
const timeID = "time";

async function clientVerdicts({ checks, at, round, send, timing }: EndpointProbes): Promise<[string, Verdict][]> {
  const { endpointSeconds = defaultEndpointSeconds } = timing;
  const { number, before } = round;
  const isRepeated = (id: string) => (before?.verdicts[verdictPrefix(at) + id]?.result ?? "expected") !== "expected";
  const isChosen = at === checks.pods[number % Math.max(1, checks.pods.length)];
  const isRare = number % rareRounds === 0;
  const found: [string, Verdict][] = [];
  const ends = performance.now() + endpointSeconds * 1000;
  for (const check of selectedChecks(checks, { isChosen, isRare, isRepeated })) {
    const request = checkRequest(checks, at.endpoint, check);
    const left = (ends - performance.now()) / 1000;
    const answer = left > 0 ? await send(request, Math.min(timing.timeoutSeconds, left)) : undefined;
    // A server that answers slowly must not delay the probes of others.
    if (answer === undefined || (answer.kind === "unanswered" && left < timing.timeoutSeconds))
      return [...found, [timeID, { result: "failed", text: lateText(request, endpointSeconds) }]];
    const verdict = verdictOf(check, request, answer, checks);
    found.push([check.id, verdict]);
    // The others would have no answer either.
    if (verdict.result === "failed") break;
  }
  return [...found, [timeID, { result: "expected" }]];
}

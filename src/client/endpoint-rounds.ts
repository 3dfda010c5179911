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
import type { SendProbe } from "../reconcile/probe.ts";
import type { Rounds } from "./prober.ts";

export interface EndpointTiming {
  /** Interval of the rounds. An endpoint that opens is reported after at most this time, a tenth more, and `confirmSeconds`. */
  readonly intervalSeconds: number;
  /** Delay of the second round after a first one with an unexpected answer, or without an answer. */
  readonly confirmSeconds: number;
  readonly timeoutSeconds: number;
  /** Timeout of requests to ports that must be closed, which network policies usually drop. */
  readonly portTimeoutSeconds: number;
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

/** Maximum number of endpoints of all servers that are probed at the same time. */
const maxConcurrent = 32;

/**
 * The probes of the endpoints of servers, as an unauthenticated client. A round sends the most important check to each endpoint, and the
 * others to one pod, since all pods of a server are equal.
 */
export function endpointRounds(
  send: SendProbe,
  timing: EndpointTiming = defaultTiming,
): Rounds<EndpointChecks, EndpointResults> {
  const limited = limiter(maxConcurrent);

  async function probed(
    checks: EndpointChecks,
    at: ProbedEndpoint,
    number: number,
    before: EndpointResults | undefined,
  ): Promise<[string, Verdict][]> {
    const isRepeated = (id: string) => (before?.verdicts[verdictPrefix(at) + id]?.result ?? "expected") !== "expected";
    const isChosen = at === checks.pods[number % Math.max(1, checks.pods.length)];
    const isRare = number % rareRounds === 0;
    const found: [string, Verdict][] = [];
    for (const check of selectedChecks(checks, { isChosen, isRare, isRepeated })) {
      const request = checkRequest(checks, at.endpoint, check);
      const verdict = verdictOf(check, request, await send(request, timing.timeoutSeconds), checks);
      found.push([check.id, verdict]);
      // The others would have no answer either.
      if (verdict.result === "failed") break;
    }
    const { isInMesh } = checks;
    const isReached = found.some(([, { result }]) => result !== "failed");
    const ports = at.otherPorts.map(async (port): Promise<[string, Verdict]> => {
      const request = portRequest(checks, at.endpoint, port.number);
      const answer = await send(request, timing.portTimeoutSeconds);
      return [`port:${port.number}`, portVerdict(port, request, answer, { isInMesh, isReached })];
    });
    return [...found, ...(await Promise.all(ports))].map(([id, verdict]) => [`${verdictPrefix(at)}${id}`, verdict]);
  }

  return {
    run: async (checks, number, before) => {
      const all = [...(checks.service ? [checks.service] : []), ...checks.pods];
      const found = await Promise.all(all.map((at) => limited(() => probed(checks, at, number, before))));
      return roundResults(checks, Object.fromEntries(found.flat()), before);
    },
    roundsToReport: (results) => {
      if (textsOf(results, "open").length > 0 || textsOf(results, "unexpected").length > 0) return 2;
      // A busy server, or one that restarts, answers a moment later.
      return textsOf(results, "failed").length > 0 ? roundsWithoutAnswer : 1;
    },
    interval: () => timing.intervalSeconds,
    confirmSeconds: timing.confirmSeconds,
  };
}

/** Returns a function that runs at most so many others at the same time, in the order of the calls. */
function limiter(most: number): <T>(run: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (running >= most) await new Promise<void>((resolve) => void waiting.push(resolve));
    else running += 1;
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

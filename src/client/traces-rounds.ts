import type { ProbeEndpoint, SendProbe } from "../reconcile/probe.ts";
import { encodedPath, isDenied, type ProbeResults, tracesRequests, tracesResults } from "../reconcile/probe-results.ts";
import { type Rounds, roundNotEnded } from "./prober.ts";

/** The results of a round of {@link tracesRounds}. */
export interface TracesRound {
  readonly results: ProbeResults;
  /** The encoded path, kept until it is denied, so that the reported message does not change. */
  readonly encoded?: string | undefined;
}

export interface TracesTiming {
  /** Interval if all requests were denied. */
  readonly deniedSeconds: number;
  /** Delay of the second probe after a first answered request: the mesh may still be applying a policy. */
  readonly againSeconds: number;
  /** Interval if a request was answered twice, or there was no response. */
  readonly answeredSeconds: number;
  /** Timeout of a request. A timeout is neither an answer nor a denial. */
  readonly timeoutSeconds: number;
}

const defaultTiming: TracesTiming = { deniedSeconds: 60, againSeconds: 2, answeredSeconds: 5, timeoutSeconds: 3 };

/** The probes of endpoints at which the mesh must deny the operator. */
export function tracesRounds(
  send: SendProbe,
  timing: TracesTiming = defaultTiming,
): Rounds<readonly ProbeEndpoint[], TracesRound> {
  return {
    run: async (endpoints, { before }) => {
      const encoded = before?.encoded ?? encodedPath();
      const requests = tracesRequests(endpoints, encoded);
      const answers = await Promise.all(
        requests.map(async (request) => [request, await send(request, timing.timeoutSeconds)] as const),
      );
      const results = tracesResults(answers);
      return { results, encoded: isDenied(results) ? undefined : encoded };
    },
    unknown: () => ({ results: { notDenied: [], unanswered: [roundNotEnded], denied: 0 } }),
    // ztunnel applies a policy a moment after istiod has reported it.
    roundsToReport: ({ results }) => (results.notDenied.length > 0 ? 2 : 1),
    interval: ({ results }) => (isDenied(results) ? timing.deniedSeconds : timing.answeredSeconds),
    confirmSeconds: timing.againSeconds,
  };
}

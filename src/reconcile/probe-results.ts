import {
  isDeniedByMesh,
  type ProbeAnswer,
  type ProbeEndpoint,
  type ProbeRequest,
  requestText,
  unansweredText,
} from "./probe.ts";

/** The results of the operator's own requests, which the mesh must deny. */
export interface ProbeResults {
  /** Messages about requests that were answered. */
  readonly notDenied: readonly string[];
  /** Messages about requests that were neither answered nor denied. They prove nothing. */
  readonly unanswered: readonly string[];
  /** The number of denied requests. */
  readonly denied: number;
}

/** Whether each request was denied explicitly. */
export function isDenied(probes: ProbeResults | undefined): boolean {
  return probes !== undefined && probes.denied > 0 && probes.notDenied.length === 0 && probes.unanswered.length === 0;
}

/** The second path bypasses a policy that lists paths, since the server decodes it. */
const paths = ["/v1/traces", "/v1%2ftraces"];

/** Returns the requests that the mesh must deny, because the operator is not a writer of traces. */
export function tracesRequests(endpoints: readonly ProbeEndpoint[], encoded: string): ProbeRequest[] {
  return endpoints.flatMap((endpoint) =>
    [...paths, encoded].map((path): ProbeRequest => ({ endpoint, method: "POST", path })),
  );
}

/** Returns the path with a random selection of at least one character percent-encoded, so that no policy can list it. */
export function encodedPath(random: () => number = Math.random): string {
  const [, ...rest] = "/v1/traces";
  const always = Math.floor(random() * rest.length);
  const written = rest.map((character, index) => {
    if (index !== always && random() < 0.7) return character;
    const hexadecimal = character.charCodeAt(0).toString(16).padStart(2, "0");
    return `%${random() < 0.5 ? hexadecimal : hexadecimal.toUpperCase()}`;
  });
  return `/${written.join("")}`;
}

/**
 * Returns the results of these requests. Any response other than the mesh's denial comes from the server behind it. Timeouts,
 * DNS failures and failed connections are not results of the mesh.
 */
export function tracesResults(all: readonly (readonly [ProbeRequest, ProbeAnswer])[]): ProbeResults {
  const notDenied: string[] = [];
  const unanswered: string[] = [];
  let denied = 0;
  for (const [request, answer] of all) {
    if (isDeniedByMesh(answer)) denied += 1;
    else if (answer.kind === "response") notDenied.push(`${requestText(request)} with ${answer.status}`);
    else if (answer.kind === "notHttp") notDenied.push(`${requestText(request)} with something else than HTTP`);
    else unanswered.push(unansweredText(request, answer.kind === "unanswered" ? answer.why : "ECONNREFUSED"));
  }
  return { notDenied, unanswered, denied };
}

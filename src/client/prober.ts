import { request } from "node:http";
import { jittered, timerMilliseconds } from "../kube/client/backoff.ts";
import { type Key, keyText } from "../kube/object.ts";
import type { ProbeResults } from "../reconcile/probe-results.ts";
import type { TracesEndpoint } from "../reconcile/traces-endpoints.ts";

/** Probes the endpoints of servers periodically, as an unauthorized client. */
export interface Prober {
  /** Results of the last probes; undefined until there are any. Probes are repeated while reconciliations call this. */
  probes(key: Key, endpoints: readonly TracesEndpoint[]): ProbeResults | undefined;
  /** Stops the probes of this server until the next call of `probes`. */
  forget(key: Key): void;
  stop(): void;
}

export interface ProbeTiming {
  /** Interval if all requests were denied. */
  readonly deniedSeconds: number;
  /** Delay of the second probe after a first answered request: the mesh may still be applying a policy. */
  readonly againSeconds: number;
  /** Interval if a request was answered twice, or there was no response. */
  readonly answeredSeconds: number;
  /** Timeout of a request. A timeout is neither an answer nor a denial. */
  readonly timeoutSeconds: number;
}

export const defaultProbeTiming: ProbeTiming = {
  deniedSeconds: 60,
  againSeconds: 2,
  answeredSeconds: 5,
  timeoutSeconds: 3,
};

/** The second path bypasses a policy that lists paths, since the server decodes it. */
const paths = ["/v1/traces", "/v1%2ftraces"];

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

/** Result of a request: denied by the mesh, answered by the server behind it, or unanswered. */
export type Probed =
  | { readonly result: "denied" }
  | { readonly result: "answered" | "unanswered"; readonly text: string };

export type Probe = (endpoint: TracesEndpoint, path: string, timeoutSeconds: number) => Promise<Probed>;

interface Known {
  readonly endpoints: string;
  found: ProbeResults | undefined;
  /** Kept until it is denied, so that the reported message does not change. */
  encoded?: string | undefined;
  /** A request was answered once, which is not reported yet: ztunnel applies a policy a moment after istiod has reported it. */
  isUnconfirmed?: boolean;
  timer?: NodeJS.Timeout;
}

/** `changed` is called for a server whose results have changed. */
export function prober(
  changed: (key: Key) => void,
  timing: ProbeTiming = defaultProbeTiming,
  probe: Probe = probeEndpoint,
): Prober {
  const known = new Map<string, Known>();

  async function probeAll(key: Key, state: Known, endpoints: readonly TracesEndpoint[]): Promise<void> {
    state.encoded ??= encodedPath();
    const tried = [...paths, state.encoded];
    const requests = endpoints.flatMap((endpoint) => tried.map((path) => probe(endpoint, path, timing.timeoutSeconds)));
    const found = probesOf(await Promise.all(requests));
    if (known.get(keyText(key)) !== state) return;
    state.isUnconfirmed = found.notDenied.length > 0 && !state.found?.notDenied.length && !state.isUnconfirmed;
    if (state.isUnconfirmed) {
      again(timing.againSeconds);
      return;
    }
    const isChanged = JSON.stringify(found) !== JSON.stringify(state.found);
    state.found = found;
    const isDenied = found.notDenied.length === 0 && found.unanswered.length === 0;
    if (isDenied) state.encoded = undefined;
    again(isDenied ? timing.deniedSeconds : timing.answeredSeconds);
    if (isChanged) changed(key);

    function again(seconds: number): void {
      state.timer = setTimeout(
        () => void probeAll(key, state, endpoints),
        timerMilliseconds(jittered(seconds)),
      ).unref();
    }
  }

  function forget(key: Key): void {
    clearTimeout(known.get(keyText(key))?.timer);
    known.delete(keyText(key));
  }

  return {
    probes: (key, endpoints) => {
      const before = known.get(keyText(key));
      const text = JSON.stringify(endpoints);
      if (before?.endpoints === text) return before.found;
      clearTimeout(before?.timer);
      // The results of the previous endpoints are kept until these have been probed.
      const state: Known = { endpoints: text, found: before?.found };
      known.set(keyText(key), state);
      void probeAll(key, state, endpoints);
      return state.found;
    },
    forget,
    stop: () => {
      for (const { timer } of known.values()) clearTimeout(timer);
      known.clear();
    },
  };
}

function probesOf(all: readonly Probed[]): ProbeResults {
  const textsOf = (result: Probed["result"]) =>
    all.flatMap((each) => (each.result === result && "text" in each ? each.text : []));
  return {
    notDenied: textsOf("answered"),
    unanswered: textsOf("unanswered"),
    denied: all.filter(({ result }) => result === "denied").length,
  };
}

/**
 * Denied: Envoy's RBAC filter responds with status 403 and body `RBAC: access denied`, or ztunnel accepts the connection and
 * closes it without a byte. Any other response comes from the server behind the mesh. Timeouts, DNS failures
 * and failed connections are not results of the mesh.
 */
const probeEndpoint: Probe = ({ what, host, port }, path, timeoutSeconds) =>
  new Promise((resolve) => {
    const endpoint = `${what} (${host}:${port})`;
    const unanswered = (why: string) =>
      resolve({ result: "unanswered", text: `${endpoint} did not answer POST ${path}: ${why}` });
    const headers = { "content-length": 0, "user-agent": "mlflow-operator" };
    let isConnected = false;
    const outgoing = request({ host, port, path, method: "POST", headers, agent: false }, (answer) => {
      const answered = {
        result: "answered",
        text: `${endpoint} answered POST ${path} with ${answer.statusCode}`,
      } as const;
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => {
        text += part.slice(0, 100);
        if (text.length >= 100) outgoing.destroy();
      });
      answer.on("error", () => resolve(answered));
      answer.on("close", () =>
        resolve(answer.statusCode === 403 && text.startsWith("RBAC: access denied") ? { result: "denied" } : answered),
      );
    });
    outgoing.on("socket", (socket) =>
      socket.once("connect", () => {
        isConnected = true;
      }),
    );
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      const { code = "" } = error;
      if (code.startsWith("HPE_"))
        resolve({ result: "answered", text: `${endpoint} answered POST ${path} with something else than HTTP` });
      else if (isConnected && (code === "ECONNRESET" || code === "EPIPE")) resolve({ result: "denied" });
      else unanswered(code || "no connection");
    });
    const timer = setTimeout(() => {
      unanswered(`no response within ${timeoutSeconds} s`);
      outgoing.destroy();
    }, timerMilliseconds(timeoutSeconds));
    outgoing.on("close", () => clearTimeout(timer));
    outgoing.end();
  });

import { request } from "node:http";
import { type Key, keyText } from "../kube/object.ts";
import type { Door } from "../reconcile/door.ts";
import type { Probes } from "../reconcile/probes.ts";
import { jittered, timerMilliseconds } from "./backoff.ts";

/** Knocks at the doors of servers, again and again, as somebody who must not get in. */
export interface Prober {
  /** What the last requests came to; undefined until that is known. They are repeated while passes ask. */
  probes(key: Key, doors: readonly Door[]): Probes | undefined;
  /** No more of this server, until somebody asks again. */
  forget(key: Key): void;
  stop(): void;
}

export interface ProbeTiming {
  /** Until the next time, where all was refused. */
  readonly refusedSeconds: number;
  /** Until the second time, where something got through for the first: the mesh may just be taking up a policy. */
  readonly againSeconds: number;
  /** Until the next time, where something got through twice, or nothing was learnt. */
  readonly answeredSeconds: number;
  /** An answer that takes longer is none: neither an answer nor a denial. */
  readonly timeoutSeconds: number;
}

export const defaultProbeTiming: ProbeTiming = {
  refusedSeconds: 60,
  againSeconds: 2,
  answeredSeconds: 5,
  timeoutSeconds: 3,
};

/** The second bypasses a policy that lists paths: what is behind the mesh decodes it. */
const paths = ["/v1/traces", "/v1%2ftraces"];

/** The path with some of its characters, at least one, encoded as clients may write them: which, nobody can have listed. */
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

/** What a request came to: denied by the mesh, answered by what is behind it (in words), or neither (in words). */
export type Probed =
  | { readonly result: "denied" }
  | { readonly result: "answered" | "unanswered"; readonly text: string };

export type Probe = (door: Door, path: string, timeoutSeconds: number) => Promise<Probed>;

interface Known {
  readonly doors: string;
  found: Probes | undefined;
  /** The same until it is denied, so that what is reported of it stays the same. */
  encoded?: string | undefined;
  /** Something got through once, which is not told yet: ztunnel has a policy a moment after istiod has reported it. */
  isDoubtful?: boolean;
  timer?: NodeJS.Timeout;
}

/** `changed` is told of a server of which something else has been found than before. */
export function prober(
  changed: (key: Key) => void,
  timing: ProbeTiming = defaultProbeTiming,
  probe: Probe = probeEndpoint,
): Prober {
  const known = new Map<string, Known>();

  async function knock(key: Key, state: Known, doors: readonly Door[]): Promise<void> {
    state.encoded ??= encodedPath();
    const tried = [...paths, state.encoded];
    const asked = doors.flatMap((door) => tried.map((path) => probe(door, path, timing.timeoutSeconds)));
    const found = probesOf(await Promise.all(asked));
    if (known.get(keyText(key)) !== state) return;
    state.isDoubtful = found.breaches.length > 0 && !state.found?.breaches.length && !state.isDoubtful;
    if (state.isDoubtful) {
      again(timing.againSeconds);
      return;
    }
    const isNews = JSON.stringify(found) !== JSON.stringify(state.found);
    state.found = found;
    const isDenied = found.breaches.length === 0 && found.unanswered.length === 0;
    if (isDenied) state.encoded = undefined;
    again(isDenied ? timing.refusedSeconds : timing.answeredSeconds);
    if (isNews) changed(key);

    function again(seconds: number): void {
      state.timer = setTimeout(() => void knock(key, state, doors), timerMilliseconds(jittered(seconds))).unref();
    }
  }

  function forget(key: Key): void {
    clearTimeout(known.get(keyText(key))?.timer);
    known.delete(keyText(key));
  }

  return {
    probes: (key, doors) => {
      const before = known.get(keyText(key));
      const text = JSON.stringify(doors);
      if (before?.doors === text) return before.found;
      clearTimeout(before?.timer);
      // What was found at the former doors holds until these have been tried.
      const state: Known = { doors: text, found: before?.found };
      known.set(keyText(key), state);
      void knock(key, state, doors);
      return state.found;
    },
    forget,
    stop: () => {
      for (const { timer } of known.values()) clearTimeout(timer);
      known.clear();
    },
  };
}

function probesOf(all: readonly Probed[]): Probes {
  const textsOf = (result: Probed["result"]) =>
    all.flatMap((each) => (each.result === result && "text" in each ? each.text : []));
  return {
    breaches: textsOf("answered"),
    unanswered: textsOf("unanswered"),
    denied: all.filter(({ result }) => result === "denied").length,
  };
}

/**
 * Denied is what Envoy denies by role-based access control (status 403, body `RBAC: access denied`), and a connection that is accepted and
 * then closed without a byte, as ztunnel does. Whatever else is answered comes from behind the mesh. No answer in time, a name
 * that is not resolved and a connection that is not made say nothing of the mesh.
 */
const probeEndpoint: Probe = ({ what, host, port }, path, timeoutSeconds) =>
  new Promise((resolve) => {
    const endpoint = `${what} (${host}:${port})`;
    const unanswered = (why: string) =>
      resolve({ result: "unanswered", text: `${endpoint} did not answer POST ${path}: ${why}` });
    const headers = { "content-length": 0, "user-agent": "mlflow-operator" };
    let isConnected = false;
    const asked = request({ host, port, path, method: "POST", headers, agent: false }, (answer) => {
      const answered = {
        result: "answered",
        text: `${endpoint} answered POST ${path} with ${answer.statusCode}`,
      } as const;
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => {
        text += part.slice(0, 100);
        if (text.length >= 100) asked.destroy();
      });
      answer.on("error", () => resolve(answered));
      answer.on("close", () =>
        resolve(answer.statusCode === 403 && text.startsWith("RBAC: access denied") ? { result: "denied" } : answered),
      );
    });
    asked.on("socket", (socket) =>
      socket.once("connect", () => {
        isConnected = true;
      }),
    );
    asked.on("error", (error: NodeJS.ErrnoException) => {
      const { code = "" } = error;
      if (code.startsWith("HPE_"))
        resolve({ result: "answered", text: `${endpoint} answered POST ${path} with something else than HTTP` });
      else if (isConnected && (code === "ECONNRESET" || code === "EPIPE")) resolve({ result: "denied" });
      else unanswered(code || "no connection");
    });
    const timer = setTimeout(() => {
      unanswered(`nothing came within ${timeoutSeconds} s`);
      asked.destroy();
    }, timerMilliseconds(timeoutSeconds));
    asked.on("close", () => clearTimeout(timer));
    asked.end();
  });

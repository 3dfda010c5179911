import { request } from "node:http";
import { type Key, keyText } from "../kube/object.ts";
import type { Door } from "../reconcile/door.ts";

/** Knocks at the doors of servers, again and again, as somebody who must not get in. */
export interface Prober {
  /** What has been answered that should have been refused, in words; undefined until it is known. Whoever asks has it knock on. */
  breaches(key: Key, doors: readonly Door[]): readonly string[] | undefined;
  /** No more of this server, until somebody asks again. */
  forget(key: Key): void;
  stop(): void;
}

export interface ProbeTiming {
  /** Until the next time, where all was refused. */
  readonly refusedSeconds: number;
  /** Until the second time, where something got through for the first: the mesh may just be taking up a policy. */
  readonly againSeconds: number;
  /** Until the next time, where something got through twice. */
  readonly answeredSeconds: number;
  /** An answer that takes longer is none. */
  readonly timeoutSeconds: number;
}

export const defaultProbeTiming: ProbeTiming = {
  refusedSeconds: 60,
  againSeconds: 2,
  answeredSeconds: 5,
  timeoutSeconds: 3,
};

/** The second is how a policy by paths is got round: what is behind it decodes it. */
const paths = ["/v1/traces", "/v1%2ftraces"];

interface Known {
  readonly doors: string;
  found: readonly string[] | undefined;
  /** Something got through once, which is not told yet: ztunnel has a policy a moment after istiod has reported it. */
  isDoubtful?: boolean;
  timer?: NodeJS.Timeout;
}

/** `changed` is told of a server of which something else has been found than before. */
export function prober(changed: (key: Key) => void, timing: ProbeTiming = defaultProbeTiming): Prober {
  const known = new Map<string, Known>();

  async function knock(key: Key, state: Known, doors: readonly Door[]): Promise<void> {
    const asked = doors.flatMap((door) => paths.map((path) => breachAt(door, path, timing.timeoutSeconds)));
    const found = (await Promise.all(asked)).filter((breach) => breach !== undefined);
    if (known.get(keyText(key)) !== state) return;
    state.isDoubtful = found.length > 0 && !state.found?.length && !state.isDoubtful;
    if (state.isDoubtful) {
      state.timer = setTimeout(() => void knock(key, state, doors), timing.againSeconds * 1000).unref();
      return;
    }
    const isNews = JSON.stringify(found) !== JSON.stringify(state.found);
    state.found = found;
    const seconds = found.length === 0 ? timing.refusedSeconds : timing.answeredSeconds;
    state.timer = setTimeout(() => void knock(key, state, doors), seconds * 1000).unref();
    if (isNews) changed(key);
  }

  function forget(key: Key): void {
    clearTimeout(known.get(keyText(key))?.timer);
    known.delete(keyText(key));
  }

  return {
    breaches: (key, doors) => {
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

/**
 * Undefined where Envoy has refused the request by its role-based access control (status 403, body `RBAC: access denied`), or
 * nobody has answered: ztunnel closes the connection. Whatever else is answered, somebody behind the mesh has said.
 */
function breachAt({ what, host, port }: Door, path: string, timeoutSeconds: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const headers = { "content-length": 0, "user-agent": "mlflow-operator" };
    const asked = request({ host, port, path, method: "POST", headers, agent: false }, (answer) => {
      const told = `${what} (${host}:${port}) answered POST ${path} with ${answer.statusCode}`;
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => {
        text += part.slice(0, 100);
        if (text.length >= 100) asked.destroy();
      });
      answer.on("error", () => resolve(told));
      answer.on("close", () =>
        resolve(answer.statusCode === 403 && text.startsWith("RBAC: access denied") ? undefined : told),
      );
    });
    asked.on("error", () => resolve(undefined));
    const timer = setTimeout(() => asked.destroy(), timeoutSeconds * 1000);
    asked.on("close", () => clearTimeout(timer));
    asked.end();
  });
}

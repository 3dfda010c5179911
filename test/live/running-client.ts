import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ClientPod, clientPod } from "./client-pod.ts";
import type { LiveFixture } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

/** The last line of a program's output, which is JSON. */
export type Printed = Readonly<Record<string, unknown>>;

/** A pod for programs with MLflow's client. */
export interface RunningClient {
  /** Runs a program of this folder. */
  readonly run: (script: string, ...args: readonly string[]) => Promise<Printed>;
  /** Runs a program text, with additional environment variables; undefined removes one. */
  readonly python: (program: string, variables?: Readonly<Record<string, string | undefined>>) => Promise<Printed>;
  /** Writes a file, below /tmp. */
  readonly write: (path: string, text: string) => Promise<void>;
}

/** Starts the pod and waits until it is running. */
export async function startClient(fixture: LiveFixture, pod: ClientPod): Promise<RunningClient> {
  await fixture.objects.create("Pod", clientPod(pod));
  await waitUntil(async () => assert.equal((await fixture.objects.the("Pod", pod.name)).status?.phase, "Running"), 300);
  const printed = async (command: readonly string[], program: string): Promise<Printed> =>
    JSON.parse((await fixture.inPod(pod.name, command, program)).trimEnd().split("\n").at(-1) ?? "");
  return {
    run: async (script, ...args) =>
      printed(["python", "-", ...args], await readFile(join(import.meta.dirname, script), "utf8")),
    python: (program, variables = {}) => {
      const changes = Object.entries(variables).sort(([, value]) => (value === undefined ? -1 : 1));
      const env = changes.flatMap(([key, value]) => (value === undefined ? ["-u", key] : [`${key}=${value}`]));
      return printed(["env", ...env, "python", "-W", "ignore", "-"], program);
    },
    write: async (path, text) => void (await fixture.inPod(pod.name, ["sh", "-c", `cat >${path}`], text)),
  };
}

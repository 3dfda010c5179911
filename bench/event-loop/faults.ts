import { setTimeout as sleep } from "node:timers/promises";
import type { ControlPlane } from "../../test/control-plane/control-plane.ts";
import type { ProxiedRequest } from "../../test/support/fault.ts";
import type { FaultProxy } from "../../test/support/fault-proxy.ts";

/** A misfortune that strikes all contestants at once. */
export interface FaultScenario {
  readonly name: string;
  /** Whether contestants reach the API server through the fault proxy, or by themselves. */
  readonly proxied: boolean;
  /** How long a contestant may take to make everything right again. */
  readonly patienceSeconds: number;
  /** Runs the misfortune from begin to end; `disturb` changes the world, when the contestants may not notice it. */
  readonly strike: (controlPlane: ControlPlane, proxy: FaultProxy, disturb: () => Promise<void>) => Promise<void>;
}

const isWatch = (request: ProxiedRequest) => request.watch;
const isListOrWatch = ({ method, path }: ProxiedRequest) =>
  method === "GET" && /\/(widgets|configmaps|secrets|deployments)$/.test(path);
const endNow = { kind: "end", at: { afterEvents: 0 } } as const;

const refused = (code: number): FaultScenario => ({
  name: `${code} on list and watch for 10 s`,
  proxied: true,
  patienceSeconds: 60,
  strike: async (_controlPlane, proxy, disturb) => {
    proxy.fault({ when: isListOrWatch, fault: { kind: "status", code } });
    proxy.interrupt(endNow, isWatch);
    await disturb();
    await sleep(10_000);
    proxy.clear();
  },
});

export const faultScenarios: readonly FaultScenario[] = [
  {
    name: "API server hangs for 50 s (SIGSTOP)",
    proxied: false,
    patienceSeconds: 60,
    strike: async ({ apiserver }, _proxy, disturb) => {
      apiserver.stop();
      await sleep(50_000);
      apiserver.cont();
      await disturb();
    },
  },
  {
    name: "API server crashes and comes back",
    proxied: false,
    patienceSeconds: 60,
    strike: async ({ apiserver }, _proxy, disturb) => {
      await apiserver.restart();
      await disturb();
    },
  },
  {
    name: "410 Gone in all watches",
    proxied: true,
    patienceSeconds: 60,
    strike: async (_controlPlane, proxy, disturb) => {
      proxy.interrupt({ kind: "error-event" }, isWatch);
      await disturb();
    },
  },
  refused(429),
  refused(500),
  refused(403),
  {
    name: "one watch ends, as it does every 30–60 min",
    proxied: true,
    patienceSeconds: 60,
    strike: async (_controlPlane, proxy, disturb) => {
      proxy.interrupt(endNow, ({ watch, path }) => watch && path.endsWith("/configmaps"));
      await disturb();
    },
  },
  {
    name: "watches half-open: nothing more comes",
    proxied: true,
    patienceSeconds: 120,
    strike: async (_controlPlane, proxy, disturb) => {
      proxy.interrupt({ kind: "hang" }, isWatch);
      await disturb();
    },
  },
];

import { setTimeout as sleep } from "node:timers/promises";
import type { ControlPlane } from "../../test/control-plane/control-plane.ts";
import type { ProxiedRequest } from "../../test/support/fault.ts";
import type { FaultProxy } from "../../test/support/fault-proxy.ts";

/** A fault that is injected for all implementations at the same time. */
export interface FaultScenario {
  readonly name: string;
  /** Whether implementations connect through the fault proxy, or directly. */
  readonly proxied: boolean;
  /** Timeout until all widgets must be reconciled. */
  readonly timeoutSeconds: number;
  /** Injects the fault; `changeObjects` changes objects while watches may miss it. */
  readonly inject: (controlPlane: ControlPlane, proxy: FaultProxy, changeObjects: () => Promise<void>) => Promise<void>;
}

const isWatch = (request: ProxiedRequest) => request.watch;
const isListOrWatch = ({ method, path }: ProxiedRequest) =>
  method === "GET" && /\/(widgets|configmaps|secrets|deployments)$/.test(path);
const endNow = { kind: "end", at: { afterEvents: 0 } } as const;

const rejected = (code: number): FaultScenario => ({
  name: `${code} on list and watch for 10 s`,
  proxied: true,
  timeoutSeconds: 60,
  inject: async (_controlPlane, proxy, changeObjects) => {
    proxy.fault({ when: isListOrWatch, fault: { kind: "status", code } });
    proxy.interrupt(endNow, isWatch);
    await changeObjects();
    await sleep(10_000);
    proxy.clear();
  },
});

export const faultScenarios: readonly FaultScenario[] = [
  {
    name: "API server hangs for 50 s (SIGSTOP)",
    proxied: false,
    timeoutSeconds: 60,
    inject: async ({ apiserver }, _proxy, changeObjects) => {
      apiserver.stop();
      await sleep(50_000);
      apiserver.cont();
      await changeObjects();
    },
  },
  {
    name: "API server crashes and restarts",
    proxied: false,
    timeoutSeconds: 60,
    inject: async ({ apiserver }, _proxy, changeObjects) => {
      await apiserver.restart();
      await changeObjects();
    },
  },
  {
    name: "410 Gone in all watches",
    proxied: true,
    timeoutSeconds: 60,
    inject: async (_controlPlane, proxy, changeObjects) => {
      proxy.interrupt({ kind: "error-event" }, isWatch);
      await changeObjects();
    },
  },
  rejected(429),
  rejected(500),
  rejected(403),
  {
    name: "one watch ends, as it does every 30–60 min",
    proxied: true,
    timeoutSeconds: 60,
    inject: async (_controlPlane, proxy, changeObjects) => {
      proxy.interrupt(endNow, ({ watch, path }) => watch && path.endsWith("/configmaps"));
      await changeObjects();
    },
  },
  {
    name: "watches half-open: no more events",
    proxied: true,
    timeoutSeconds: 120,
    inject: async (_controlPlane, proxy, changeObjects) => {
      proxy.interrupt({ kind: "hang" }, isWatch);
      await changeObjects();
    },
  },
];

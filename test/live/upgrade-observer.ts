import { setTimeout as sleep } from "node:timers/promises";
import type { UpgradeRecord } from "../../src/api/status.ts";
import type { LiveFixture } from "./live-fixture.ts";

export type UpgradePhase = UpgradeRecord["phase"];

/** What the status of a server and its Deployment have shown. Times are in milliseconds since 1970. */
export interface ObservedUpgrade {
  /** When the status first had each phase. */
  readonly phases: ReadonlyMap<UpgradePhase, number>;
  /** `status.upgrade.phase` now. */
  readonly phase: UpgradePhase | undefined;
  /** When the operator scaled the Deployment to zero, at the earliest. */
  readonly stoppedAt: number | undefined;
  /** When the server was first Ready with the new version, at the latest. */
  readonly doneAt: number | undefined;
}

/** Observes an upgrade ten times a second until `stop`. */
export function observeUpgrade({ objects }: LiveFixture, name: string, version: string) {
  const phases = new Map<UpgradePhase, number>();
  let observed: ObservedUpgrade = { phases, phase: undefined, stoppedAt: undefined, doneAt: undefined };
  let isOver = false;
  const observe = async () => {
    const began = Date.now();
    const { spec } = await objects.the("Deployment", name);
    const { status } = await objects.the("MlflowServer", name);
    const phase = status?.upgrade?.phase;
    if (phase !== undefined && !phases.has(phase)) phases.set(phase, Date.now());
    const stoppedAt = observed.stoppedAt ?? (spec.replicas === 0 ? began - 100 : undefined);
    const isReady = status?.conditions?.some((each) => each.type === "Ready" && each.status === "True") === true;
    const isDone = isReady && phase === undefined && status?.version === version;
    observed = { phases, phase, stoppedAt, doneAt: observed.doneAt ?? (isDone ? Date.now() : undefined) };
  };
  const running = (async () => {
    while (!isOver) {
      await observe();
      await sleep(100);
    }
  })();
  // Its error is that of `stop`.
  running.catch(() => {});
  return {
    observed: (): ObservedUpgrade => observed,
    stop: async () => {
      isOver = true;
      await running;
    },
  };
}

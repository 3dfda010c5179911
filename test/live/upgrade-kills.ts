import { setTimeout as sleep } from "node:timers/promises";
import type { Pod } from "../../src/kube/manifests.ts";
import { label } from "../../src/kube/names.ts";
import { killContainers } from "./kill-containers.ts";
import type { KillableOperator } from "./killable-operator.ts";
import type { LiveFixture } from "./live-fixture.ts";
import type { ObservedUpgrade, UpgradePhase } from "./upgrade-observer.ts";

export interface Kill {
  readonly at: number;
  /** The phase in the status; undefined after the end of the upgrade. */
  readonly phase: UpgradePhase | undefined;
  /** `operator`, or the component of a pod. */
  readonly target: string;
  readonly how: "SIGKILL" | "deleted";
}

/** The phases, with the longest time from their beginning to a kill. */
const plan: readonly (readonly [phase: UpgradePhase, seconds: number])[] = [
  ["Preflight", 12],
  ["StoppingWriters", 3],
  ["BackingUp", 8],
  ["Migrating", 20],
  ["RollingOut", 5],
];

/** How long a pod is waited for that can be killed. */
const podSeconds = 10;

interface KillOptions {
  readonly fixture: LiveFixture;
  readonly operator: KillableOperator;
  readonly observed: () => ObservedUpgrade;
  readonly random: () => number;
}

/**
 * Kills the operator and a pod that runs, in random order and at random moments from the beginning of each phase on. The phase can be over by
 * then. Where no pod runs, the operator is killed twice.
 */
export async function killDuringUpgrade(options: KillOptions): Promise<readonly Kill[]> {
  const { observed, random } = options;
  const order = plan.map(([phase]) => phase);
  const kills: Kill[] = [];
  for (const [planned, seconds] of plan) {
    const isOfOperatorFirst = random() < 0.5;
    for (const isOfOperator of [isOfOperatorFirst, !isOfOperatorFirst]) {
      const hasBegun = ({ doneAt, phase }: ObservedUpgrade) =>
        doneAt !== undefined || (phase !== undefined && order.indexOf(phase) >= order.indexOf(planned));
      while (!hasBegun(observed())) await sleep(50);
      const until = Date.now() + random() * seconds * 1000;
      while (observed().doneAt === undefined && Date.now() < until) await sleep(50);
      kills.push(await killOne(options, isOfOperator));
    }
  }
  return kills;
}

const components = ["preflight", "backup", "migration", "server"];

async function killOne(
  { fixture: { objects }, operator, observed, random }: KillOptions,
  isOfOperator: boolean,
): Promise<Kill> {
  const componentOf = ({ metadata }: Pod) => metadata.labels?.[label.component] ?? "";
  const running = async () =>
    (await objects.list("Pod")).filter(
      (pod) => components.includes(componentOf(pod)) && pod.status?.phase === "Running",
    );
  const [which, isSignal] = [random(), random() < 0.5];
  const until = Date.now() + podSeconds * 1000;
  let pods = isOfOperator ? [] : await running();
  while (!isOfOperator && pods.length === 0 && Date.now() < until) {
    await sleep(100);
    pods = await running();
  }
  const pod = pods[Math.floor(which * pods.length)];
  const kill = { at: Date.now(), phase: observed().phase };
  if (pod !== undefined) {
    const target = componentOf(pod);
    if (isSignal && (await killContainers(pod)) > 0) return { ...kill, target, how: "SIGKILL" };
    // It can have ended meanwhile.
    const isDeleted = await objects.remove("Pod", pod.metadata.name, { gracePeriodSeconds: 1 }).then(
      () => true,
      () => false,
    );
    if (isDeleted) return { ...kill, target, how: "deleted" };
  }
  await operator.kill();
  return { ...kill, target: "operator", how: "SIGKILL" };
}

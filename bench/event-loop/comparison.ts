import { setTimeout as sleep } from "node:timers/promises";
import type { FaultScenario } from "./faults.ts";
import { type Harness, startSubject } from "./harness.ts";
import { accountOf, type Entry, type Subject } from "./subject.ts";
import { type WidgetNamespace, widgetNamespace } from "./widget-namespace.ts";

const widgets = 50;

interface Run {
  readonly entry: Entry;
  readonly widgetNamespace: WidgetNamespace;
  subject: Subject;
}

/** Results of a scenario. */
export interface FaultOutcome {
  readonly scenario: string;
  /** By implementation. */
  readonly outcomes: Readonly<Record<string, { seconds: number; wrong: number; exits: number }>>;
}

/** Runs all implementations concurrently through each scenario; `server` is the URL that they connect to. */
export async function compare(
  harness: Harness,
  entries: readonly Entry[],
  scenarios: readonly FaultScenario[],
  server: string,
): Promise<FaultOutcome[]> {
  const { controlPlane, proxy, say } = harness;
  const kind = server === proxy.url ? "proxied" : "direct";
  const runs: Run[] = [];
  for (const chosen of entries) {
    const namespace = `${accountOf(chosen)}-${kind}`;
    const made = await widgetNamespace(controlPlane, namespace, widgets);
    runs.push({
      entry: chosen,
      widgetNamespace: made,
      subject: await startSubject(harness, chosen, namespace, server),
    });
  }
  const found: FaultOutcome[] = [];
  for (const [index, scenario] of scenarios.entries()) {
    say(scenario.name);
    for (const run of runs) await prepare(harness, run, server, index === 0 ? 60 : 1);
    // Wait until all watches are open, so that the fault affects them.
    await sleep(20_000);
    const value = `${scenario.name} ${index}`;
    const changeObjects = async () => {
      await Promise.all(
        runs.map(async ({ widgetNamespace: { names, removeConfigMaps, change } }) => {
          await removeConfigMaps(names.slice(0, 10));
          await change(names.slice(10, 30), value);
        }),
      );
    };
    await scenario.inject(controlPlane, proxy, changeObjects);
    const outcomes = await Promise.all(
      runs.map(async ({ subject, widgetNamespace }) => {
        const settled = await widgetNamespace.settled(scenario.timeoutSeconds);
        return [subject.name, { ...settled, exits: subject.exits() }] as const;
      }),
    );
    found.push({ scenario: scenario.name, outcomes: Object.fromEntries(outcomes) });
    say(outcomes.map(([name, outcome]) => `  ${name}: ${outcomeText(outcome)}`).join("\n"));
  }
  await Promise.all(runs.map(({ subject }) => subject.stop()));
  return found;
}

/** Restarts an implementation that did not recover from an earlier scenario. */
async function prepare(harness: Harness, run: Run, server: string, timeoutSeconds: number): Promise<void> {
  const { wrong } = await run.widgetNamespace.settled(timeoutSeconds);
  if (wrong > 0 || !isAlive(run.subject)) {
    await run.subject.stop();
    run.subject = await startSubject(harness, run.entry, run.subject.namespace, server);
    await run.widgetNamespace.settled(60);
  }
  run.subject.resetExits();
}

function isAlive(subject: Subject): boolean {
  try {
    subject.usage();
    return true;
  } catch {
    return false;
  }
}

/** Returns the seconds until all was reconciled, or the number of missed changes, as text. */
export function outcomeText({ seconds, wrong, exits }: { seconds: number; wrong: number; exits: number }): string {
  const ended = exits === 0 ? "" : `, ${exits} exit${exits === 1 ? "" : "s"}`;
  return `${wrong === 0 ? `${seconds.toFixed(1)} s` : `${wrong} MISSED`}${ended}`;
}

import { setTimeout as sleep } from "node:timers/promises";
import { accountOf, type Contestant, type Entry } from "./contestant.ts";
import type { FaultScenario } from "./faults.ts";
import { enter, type Ring } from "./ring.ts";
import { type World, world } from "./world.ts";

const widgets = 50;

interface Place {
  readonly entry: Entry;
  readonly world: World;
  contestant: Contestant;
}

/** How the contestants came through a scenario. */
export interface FaultOutcome {
  readonly scenario: string;
  /** By contestant. */
  readonly outcomes: Readonly<Record<string, { seconds: number; wrong: number; exits: number }>>;
}

/** All entries side by side through one scenario after the other; `server` is how they reach the API server. */
export async function tournament(
  ring: Ring,
  entries: readonly Entry[],
  scenarios: readonly FaultScenario[],
  server: string,
): Promise<FaultOutcome[]> {
  const { controlPlane, proxy, say } = ring;
  const kind = server === proxy.url ? "proxied" : "direct";
  const field: Place[] = [];
  for (const chosen of entries) {
    const namespace = `${accountOf(chosen)}-${kind}`;
    const made = await world(controlPlane, namespace, widgets);
    field.push({ entry: chosen, world: made, contestant: await enter(ring, chosen, namespace, server) });
  }
  const found: FaultOutcome[] = [];
  for (const [index, scenario] of scenarios.entries()) {
    say(scenario.name);
    for (const place of field) await readied(ring, place, server, index === 0 ? 60 : 1);
    // Watches that still wait for their next attempt would be spared.
    await sleep(20_000);
    const value = `${scenario.name} ${index}`;
    const disturb = async () => {
      await Promise.all(
        field.map(async ({ world: { names, removeConfigMaps, change } }) => {
          await removeConfigMaps(names.slice(0, 10));
          await change(names.slice(10, 30), value);
        }),
      );
    };
    await scenario.strike(controlPlane, proxy, disturb);
    const outcomes = await Promise.all(
      field.map(async ({ contestant, world }) => {
        const settled = await world.settled(scenario.patienceSeconds);
        return [contestant.name, { ...settled, exits: contestant.exits() }] as const;
      }),
    );
    found.push({ scenario: scenario.name, outcomes: Object.fromEntries(outcomes) });
    say(outcomes.map(([name, outcome]) => `  ${name}: ${outcomeText(outcome)}`).join("\n"));
  }
  await Promise.all(field.map(({ contestant }) => contestant.stop()));
  return found;
}

/** One that an earlier scenario has left behind begins anew, so that each scenario is judged by itself. */
async function readied(ring: Ring, place: Place, server: string, patienceSeconds: number): Promise<void> {
  const { wrong } = await place.world.settled(patienceSeconds);
  if (wrong > 0 || !isAlive(place.contestant)) {
    await place.contestant.stop();
    place.contestant = await enter(ring, place.entry, place.contestant.namespace, server);
    await place.world.settled(60);
  }
  place.contestant.calm();
}

function isAlive(contestant: Contestant): boolean {
  try {
    contestant.usage();
    return true;
  } catch {
    return false;
  }
}

/** For people: after how many seconds all was right, or what was missed. */
export function outcomeText({ seconds, wrong, exits }: { seconds: number; wrong: number; exits: number }): string {
  const ended = exits === 0 ? "" : `, ${exits} exit${exits === 1 ? "" : "s"}`;
  return `${wrong === 0 ? `${seconds.toFixed(1)} s` : `${wrong} MISSED`}${ended}`;
}

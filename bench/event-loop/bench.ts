/** The widget operator on four foundations, side by side through the same misfortunes and the same load. */
import { mkdir } from "node:fs/promises";
import { startControlPlane } from "../../test/control-plane/control-plane.ts";
import { startFaultProxy } from "../../test/support/fault-proxy.ts";
import { countingRelay } from "../relay.ts";
import { type Burst, burst } from "./burst.ts";
import { accountOf, type Entry } from "./contestant.ts";
import { faultScenarios } from "./faults.ts";
import { installPackage } from "./package.ts";
import { report } from "./report.ts";
import { enter, grantAll, type Ring } from "./ring.ts";
import { tournament } from "./tournament.ts";
import { installWidgets, world } from "./world.ts";

const entry = (name: string, script: string, ...args: string[]): Entry => ({
  name,
  script: new URL(script, import.meta.url),
  args,
});

const own = entry("own", "contestants/own.ts");
const asDocumented = entry("k8s-operator", "k8s-operator/as-documented.ts");
const hardened = entry("k8s-operator hardened", "k8s-operator/hardened.ts");
const bareInformer = entry("informer", "contestants/informer.ts");
const informer = entry("informer restarted", "contestants/informer.ts", "restarting");
const entries = [own, asDocumented, hardened, bareInformer, informer];

const widgetsInBurst = 100;

export interface EventLoopBench {
  readonly text: string;
  readonly figures: object;
}

/** Runs everything, in about 15 minutes; `say` is told what is being done. */
export async function eventLoopBench(resultsFolder: string, say: (line: string) => void): Promise<EventLoopBench> {
  await installPackage(say);
  await mkdir(resultsFolder, { recursive: true });
  const controlPlane = await startControlPlane();
  const proxy = await startFaultProxy(controlPlane);
  const relay = await countingRelay(controlPlane.url);
  try {
    await installWidgets(controlPlane);
    await grantAll(controlPlane, entries);
    const ring: Ring = { controlPlane, proxy, relay, resultsFolder, say };
    const direct = faultScenarios.filter(({ proxied }) => !proxied);
    const proxied = faultScenarios.filter(({ proxied }) => proxied);
    const faults = [
      ...(await tournament(ring, entries, direct, controlPlane.url)),
      ...(await tournament(ring, entries, proxied, proxy.url)),
    ];
    const bursts = new Map<string, Burst>();
    for (const chosen of [own, asDocumented, hardened, informer]) bursts.set(chosen.name, await burstOf(ring, chosen));
    const names = entries.map(({ name }) => name);
    return { text: report(names, faults, bursts), figures: { faults, bursts: Object.fromEntries(bursts) } };
  } finally {
    relay.close();
    await proxy.close();
    await controlPlane.close();
  }
}

async function burstOf(ring: Ring, chosen: Entry): Promise<Burst> {
  ring.say(`1,000 changes: ${chosen.name}`);
  const namespace = `${accountOf(chosen)}-burst`;
  const made = await world(ring.controlPlane, namespace, widgetsInBurst);
  const entered = await enter(ring, chosen, namespace, ring.relay.url);
  try {
    return await burst(ring.controlPlane, ring.relay, entered, made);
  } finally {
    await entered.stop();
  }
}

/** Compares the widget operator on four libraries, with the same faults and the same load. */
import { mkdir } from "node:fs/promises";
import { startControlPlane } from "../../test/control-plane/control-plane.ts";
import { startFaultProxy } from "../../test/support/fault-proxy.ts";
import { countingRelay } from "../relay.ts";
import { type Burst, burst } from "./burst.ts";
import { compare } from "./comparison.ts";
import { faultScenarios } from "./faults.ts";
import { grantAll, type Harness, startSubject } from "./harness.ts";
import { installPackage } from "./package.ts";
import { report } from "./report.ts";
import { accountOf, type Entry } from "./subject.ts";
import { installWidgets, widgetNamespace } from "./widget-namespace.ts";

const entry = (name: string, script: string, ...args: string[]): Entry => ({
  name,
  script: new URL(script, import.meta.url),
  args,
});

const own = entry("own", "subjects/own.ts");
const asDocumented = entry("k8s-operator", "k8s-operator/as-documented.ts");
const hardened = entry("k8s-operator hardened", "k8s-operator/hardened.ts");
const bareInformer = entry("informer", "subjects/informer.ts");
const informer = entry("informer restarted", "subjects/informer.ts", "restarting");
const entries = [own, asDocumented, hardened, bareInformer, informer];

const widgetsInBurst = 100;

export interface EventLoopBench {
  readonly text: string;
  readonly figures: object;
}

/** Runs all scenarios, in about 15 minutes; `say` receives the progress. */
export async function eventLoopBench(resultsFolder: string, say: (line: string) => void): Promise<EventLoopBench> {
  await installPackage(say);
  await mkdir(resultsFolder, { recursive: true });
  const controlPlane = await startControlPlane();
  const proxy = await startFaultProxy(controlPlane);
  const relay = await countingRelay(controlPlane.url);
  try {
    await installWidgets(controlPlane);
    await grantAll(controlPlane, entries);
    const harness: Harness = { controlPlane, proxy, relay, resultsFolder, say };
    const direct = faultScenarios.filter(({ proxied }) => !proxied);
    const proxied = faultScenarios.filter(({ proxied }) => proxied);
    const faults = [
      ...(await compare(harness, entries, direct, controlPlane.url)),
      ...(await compare(harness, entries, proxied, proxy.url)),
    ];
    const bursts = new Map<string, Burst>();
    for (const chosen of [own, asDocumented, hardened, informer])
      bursts.set(chosen.name, await burstOf(harness, chosen));
    const names = entries.map(({ name }) => name);
    return { text: report(names, faults, bursts), figures: { faults, bursts: Object.fromEntries(bursts) } };
  } finally {
    relay.close();
    await proxy.close();
    await controlPlane.close();
  }
}

async function burstOf(harness: Harness, chosen: Entry): Promise<Burst> {
  harness.say(`1,000 changes: ${chosen.name}`);
  const namespace = `${accountOf(chosen)}-burst`;
  const made = await widgetNamespace(harness.controlPlane, namespace, widgetsInBurst);
  const subject = await startSubject(harness, chosen, namespace, harness.relay.url);
  try {
    return await burst(harness.controlPlane, harness.relay, subject, made);
  } finally {
    await subject.stop();
  }
}

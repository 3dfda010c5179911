/** Measures the released operator on a real API server; requests are counted in its audit log. */
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startControlPlane } from "../../test/control-plane/control-plane.ts";
import { auditLog } from "../../test/support/audit-log.ts";
import type { Figure } from "../figure.ts";
import { countingRelay } from "../relay.ts";
import { table } from "../table.ts";
import { burst } from "./burst.ts";
import { convergence } from "./convergence.ts";
import { drift } from "./drift.ts";
import { failover } from "./failover.ts";
import { heap } from "./heap.ts";
import { idleness } from "./idleness.ts";
import { accounts, builtBundle, install } from "./installation.ts";
import type { Measuring } from "./measuring.ts";
import { startNode } from "./node.ts";
import { operatorProcess } from "./operator-process.ts";
import { scale } from "./scale.ts";
import { unmanagedConfigMaps } from "./unmanaged-config-maps.ts";
import { unrelatedEvents } from "./unrelated-events.ts";

/** Runs all measurements, in about 7 minutes; `say` receives the progress. */
export async function operatorBench(
  resultsFolder: string,
  say: (line: string) => void,
): Promise<{ text: string; figures: readonly Figure[] }> {
  await mkdir(resultsFolder, { recursive: true });
  say("building the bundle, starting a control plane");
  const bundle = await builtBundle();
  const cluster = await startControlPlane({ controllerManager: false });
  const relay = await countingRelay(cluster.url);
  const log = auditLog(cluster);
  const figures: Figure[] = [];
  const add = (...found: readonly Figure[]) => {
    figures.push(...found);
    for (const { name, value, met } of found) say(`  ${met === false ? "MISSED" : "      "} ${name}: ${value}`);
  };
  const start = (account: string, inspect = false) =>
    operatorProcess(cluster, {
      bundle,
      account,
      inspect,
      server: relay.url,
      logPath: join(resultsFolder, `${account}.log`),
    });
  const node = await startNode(cluster);
  try {
    await install(cluster);
    const [first, second] = accounts;

    const operator = await start(first);
    const measuring: Measuring = { cluster, log, relay, operator };
    say("one server");
    add(...(await convergence(measuring)));
    say("a minute without changes");
    const idle = await idleness(measuring);
    add(...idle.figures);
    say("unrelated events");
    add(...(await unrelatedEvents(measuring, idle.cpuMillisecondsPerSecond)));
    add(await unmanagedConfigMaps(measuring));
    say("drift");
    add(...(await drift(measuring)));
    say("100 servers");
    add(...(await scale(measuring)));
    say("300 further servers");
    add(...(await burst(measuring)));
    operator.signal("SIGTERM");
    await operator.ended;

    say("200 further servers, with the inspector");
    const inspected = await start(first, true);
    add(await heap({ ...measuring, operator: inspected }));
    inspected.signal("SIGTERM");
    await inspected.ended;

    say("two operators");
    const both = async () => {
      const started = [await start(first), await start(second)];
      await sleep(1000);
      return started;
    };
    add(await failover(cluster, log, both, "SIGTERM", 1));
    add(await failover(cluster, log, both, "SIGKILL", 20));
  } finally {
    node.stop();
    relay.close();
    await cluster.close();
    await rm(dirname(bundle), { recursive: true });
  }
  return { text: report(figures), figures };
}

function report(figures: readonly Figure[]): string {
  const rows = figures.map(({ name, value, target, met }) => [
    name,
    value,
    target,
    met === undefined ? "" : met ? "yes" : "NO",
  ]);
  return table(["figure", "measured", "target", "met"], rows);
}

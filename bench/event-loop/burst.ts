import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { auditLog } from "../../test/support/audit-log.ts";
import { asked } from "../asked.ts";
import { inFlight } from "../in-flight.ts";
import { mebibytes } from "../process-usage.ts";
import type { CountingRelay } from "../relay.ts";
import type { Contestant } from "./contestant.ts";
import { configMapPath } from "./widget.ts";
import type { World } from "./world.ts";

export interface Burst {
  /** Widgets that are not right a minute after the last change. */
  readonly missed: number;
  /** From the last change until all is right. */
  readonly seconds: number;
  readonly events: number;
  readonly passes: number;
  readonly calls: number;
  readonly cpuMilliseconds: number;
  readonly sockets: number;
  /** MiB. */
  readonly rss: { readonly idle: number; readonly after: number; readonly withForeign: number };
}

const changes = 1000;
const foreign = { count: 40, bytes: 900_000 };

/** 1,000 changes of all widgets of a world, as fast as they go; the contestant is alone, behind the relay. */
export async function burst(
  cluster: ClusterAccess,
  relay: CountingRelay,
  contestant: Contestant,
  world: World,
): Promise<Burst> {
  const log = auditLog(cluster);
  await world.settled(60);
  await sleep(5000);
  const idle = contestant.usage();
  const countedBefore = await contestant.counted();
  const since = await log.mark();
  const sockets = relay.accepted();
  for (let round = 1; round <= changes / world.names.length; round += 1) await world.change(world.names, `${round}`);
  const { wrong: missed, seconds } = await world.settled(60);
  await sleep(2000);
  const after = contestant.usage();
  const counted = await contestant.counted();
  const calls = await log.calls({ since, user: contestant.user });
  const newSockets = relay.accepted() - sockets;
  await holdForeign(cluster, contestant.namespace);
  const withForeign = contestant.usage();
  return {
    missed,
    seconds,
    events: counted.events - countedBefore.events,
    passes: counted.passes - countedBefore.passes,
    calls: calls.length,
    cpuMilliseconds: after.cpuMilliseconds - idle.cpuMilliseconds,
    sockets: newSockets,
    rss: {
      idle: mebibytes(idle.rssBytes),
      after: mebibytes(after.rssBytes),
      withForeign: mebibytes(withForeign.rssBytes),
    },
  };
}

/** ConfigMaps that are no widget's. */
async function holdForeign(cluster: ClusterAccess, namespace: string): Promise<void> {
  const data = { blob: "x".repeat(foreign.bytes) };
  const names = Array.from({ length: foreign.count }, (_, index) => `foreign-${index}`);
  await inFlight(4, names, (name) => asked(cluster, "POST", configMapPath(namespace), { metadata: { name }, data }));
  await sleep(5000);
  await inFlight(4, names, (name) => asked(cluster, "DELETE", configMapPath(namespace, name)));
}

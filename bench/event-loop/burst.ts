import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import { auditLog } from "../../test/support/audit-log.ts";
import { adminRequest } from "../admin-request.ts";
import { inFlight } from "../in-flight.ts";
import { mebibytes } from "../process-usage.ts";
import type { CountingRelay } from "../relay.ts";
import type { Subject } from "./subject.ts";
import { configMapPath } from "./widget.ts";
import type { WidgetNamespace } from "./widget-namespace.ts";

export interface Burst {
  /** Widgets that are not reconciled a minute after the last change. */
  readonly missed: number;
  /** From the last change until all widgets are reconciled. */
  readonly seconds: number;
  readonly events: number;
  readonly reconciliations: number;
  readonly calls: number;
  readonly cpuMilliseconds: number;
  readonly sockets: number;
  /** MiB. */
  readonly rss: { readonly idle: number; readonly after: number; readonly withUnmanaged: number };
}

const changes = 1000;
const unmanaged = { count: 40, bytes: 900_000 };

/** Makes 1,000 changes of all widgets of a namespace as fast as possible, with one operator behind the relay. */
export async function burst(
  cluster: ClusterAccess,
  relay: CountingRelay,
  subject: Subject,
  widgetNamespace: WidgetNamespace,
): Promise<Burst> {
  const log = auditLog(cluster);
  await widgetNamespace.settled(60);
  await sleep(5000);
  const idle = subject.usage();
  const countedBefore = await subject.counted();
  const since = await log.mark();
  const sockets = relay.accepted();
  for (let round = 1; round <= changes / widgetNamespace.names.length; round += 1)
    await widgetNamespace.change(widgetNamespace.names, `${round}`);
  const { wrong: missed, seconds } = await widgetNamespace.settled(60);
  await sleep(2000);
  const after = subject.usage();
  const counted = await subject.counted();
  const calls = await log.calls({ since, user: subject.user });
  const newSockets = relay.accepted() - sockets;
  await createUnmanaged(cluster, subject.namespace);
  const withUnmanaged = subject.usage();
  return {
    missed,
    seconds,
    events: counted.events - countedBefore.events,
    reconciliations: counted.reconciliations - countedBefore.reconciliations,
    calls: calls.length,
    cpuMilliseconds: after.cpuMilliseconds - idle.cpuMilliseconds,
    sockets: newSockets,
    rss: {
      idle: mebibytes(idle.rssBytes),
      after: mebibytes(after.rssBytes),
      withUnmanaged: mebibytes(withUnmanaged.rssBytes),
    },
  };
}

/** Creates and deletes ConfigMaps without a widget. */
async function createUnmanaged(cluster: ClusterAccess, namespace: string): Promise<void> {
  const data = { blob: "x".repeat(unmanaged.bytes) };
  const names = Array.from({ length: unmanaged.count }, (_, index) => `unmanaged-${index}`);
  await inFlight(4, names, (name) =>
    adminRequest(cluster, "POST", configMapPath(namespace), { metadata: { name }, data }),
  );
  await sleep(5000);
  await inFlight(4, names, (name) => adminRequest(cluster, "DELETE", configMapPath(namespace, name)));
}

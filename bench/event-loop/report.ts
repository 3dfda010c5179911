import { table } from "../table.ts";
import type { Burst } from "./burst.ts";
import { type FaultOutcome, outcomeText } from "./comparison.ts";

/** Returns the table, with one column for each name. */
export function report(
  names: readonly string[],
  faults: readonly FaultOutcome[],
  bursts: ReadonlyMap<string, Burst>,
): string {
  const faultRows = faults.map(({ scenario, outcomes }) => [
    scenario,
    ...names.map((name) => (outcomes[name] ? outcomeText(outcomes[name]) : "–")),
  ]);
  const burstRow = (figure: string, text: (burst: Burst) => string) => [
    figure,
    ...names.map((name) => {
      const found = bursts.get(name);
      return found ? text(found) : "–";
    }),
  ];
  const whole = (value: number) => value.toFixed(0);
  const burstRows = [
    burstRow("1,000 changes of 100 widgets: missed", ({ missed }) => whole(missed)),
    burstRow("  seconds from the last change until all is reconciled", ({ seconds }) => seconds.toFixed(1)),
    burstRow("  reconciliations", ({ reconciliations }) => whole(reconciliations)),
    burstRow("  calls", ({ calls }) => whole(calls)),
    burstRow("  CPU ms per change", ({ cpuMilliseconds }) => (cpuMilliseconds / 1000).toFixed(2)),
    burstRow("  sockets per 1,000 calls", ({ sockets, calls }) => whole((sockets / calls) * 1000)),
    burstRow("RSS idle, MiB", ({ rss }) => whole(rss.idle)),
    burstRow("RSS after the changes, MiB", ({ rss }) => whole(rss.after)),
    burstRow("RSS with 40 unmanaged ConfigMaps of 900 KB, MiB", ({ rss }) => whole(rss.withUnmanaged)),
  ];
  return table(["until all of 50 widgets are reconciled", ...names], [...faultRows, ...burstRows]);
}

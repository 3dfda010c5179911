import type { Write } from "./steady-writer.ts";
import type { Kill } from "./upgrade-kills.ts";

interface Outage {
  readonly from: number;
  readonly to: number;
  readonly failures: readonly Write[];
}

/**
 * Compares failed writes with the downtime that the operator has announced. Returns the longest outage in seconds, and the failures outside the downtime, except
 * those of an outage in which a pod of the server was killed.
 */
export function outagesOf(
  writes: readonly Write[],
  kills: readonly Kill[],
  downtime: { readonly from: number; readonly to: number },
) {
  const outages = outagesIn(writes);
  const isKilled = ({ from, to }: Outage) =>
    kills.some(({ target, at }) => target === "server" && at >= from && at <= to);
  const isOutside = ({ began, ended }: Write) => ended < downtime.from || began > downtime.to;
  return {
    downtimeSeconds: Math.max(0, ...outages.map(({ from, to }) => (to - from) / 1000)),
    unexplained: outages.filter((each) => !isKilled(each)).flatMap(({ failures }) => failures.filter(isOutside)),
  };
}

/** Each from the end of the last write that succeeded to the beginning of the next one. */
function outagesIn(writes: readonly Write[]): Outage[] {
  const outages: Outage[] = [];
  let failures: Write[] = [];
  let from = 0;
  const end = (to: number) => {
    if (failures.length > 0) outages.push({ from: from || (failures[0]?.began ?? to), to, failures });
    failures = [];
  };
  for (const write of writes) {
    if (write.error !== undefined) {
      failures.push(write);
      continue;
    }
    end(write.ended);
    from = write.began;
  }
  end(writes.at(-1)?.ended ?? 0);
  return outages;
}

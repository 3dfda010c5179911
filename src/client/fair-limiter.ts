export interface Limits {
  /** Maximum number of functions that run at the same time. */
  readonly most: number;
  /** The same for one group, so that slow functions of one group do not delay others. */
  readonly mostOfGroup: number;
}

/** Runs a function as soon as the limits allow it: in the order of the calls within a group, and the groups in turn. */
export type FairLimiter = <T>(group: string, run: () => Promise<T>) => Promise<T>;

export function fairLimiter({ most, mostOfGroup }: Limits): FairLimiter {
  const waiting = new Map<string, (() => void)[]>();
  const running = new Map<string, number>();
  let total = 0;

  const isFree = (group: string) => total < most && (running.get(group) ?? 0) < mostOfGroup;

  function began(group: string): void {
    total += 1;
    running.set(group, (running.get(group) ?? 0) + 1);
  }

  function ended(group: string): void {
    total -= 1;
    const left = (running.get(group) ?? 1) - 1;
    if (left === 0) running.delete(group);
    else running.set(group, left);
    startNext();
  }

  function startNext(): void {
    for (const [group, queue] of waiting) {
      if (!isFree(group)) continue;
      const [start, ...rest] = queue;
      // The group is the last one of the next turn.
      waiting.delete(group);
      if (rest.length > 0) waiting.set(group, rest);
      began(group);
      start?.();
      return;
    }
  }

  return async (group, run) => {
    if (isFree(group)) began(group);
    else
      await new Promise<void>((resolve) => {
        const queue = waiting.get(group);
        if (queue === undefined) waiting.set(group, [resolve]);
        else queue.push(resolve);
      });
    try {
      return await run();
    } finally {
      ended(group);
    }
  };
}

import type { Client, Route } from "./client.ts";
import { httpClient } from "./http-client.ts";
import { cpuMilliseconds } from "./process-tree.ts";

export interface Sample {
  /** Median of the requests, in milliseconds. */
  readonly p50: number;
  readonly perSecond: number;
  /** CPU time of the processes of the server, in milliseconds. */
  readonly cpuPerRequest: number;
}

const fewest = 12;

/** Sends requests with `count` concurrent connections for this time, and at least two per connection. */
export async function sample(
  { server, headers, calls }: Client,
  route: Route,
  count: number,
  milliseconds: number,
): Promise<Sample> {
  const client = httpClient(server.port, headers, count);
  const call = calls[route];
  try {
    await Promise.all(Array.from({ length: count }, () => client.sent(call())));
    const took: number[] = [];
    const cpu = cpuMilliseconds(server.pids());
    const began = performance.now();
    const goesOn = () => performance.now() - began < milliseconds || took.length < Math.max(fewest, 2 * count);
    const worker = async () => {
      while (goesOn()) {
        const at = performance.now();
        await client.sent(call());
        took.push(performance.now() - at);
      }
    };
    await Promise.all(Array.from({ length: count }, worker));
    const seconds = (performance.now() - began) / 1000;
    return {
      p50: median(took),
      perSecond: took.length / seconds,
      cpuPerRequest: (cpuMilliseconds(server.pids()) - cpu) / took.length,
    };
  } finally {
    client.close();
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

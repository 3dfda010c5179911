import { inFlight } from "../in-flight.ts";

/** Number of requests to make, and the prefix of the object names. */
export interface LoadRequest {
  readonly prefix: string;
  readonly calls: number;
}

export const concurrency = 16;

/** Reports to the parent process that it is ready, then makes the requests of each message and reports when they are done. */
export function runLoad(create: (name: string, data: Record<string, string>) => Promise<unknown>): void {
  process.on("disconnect", () => process.exit());
  process.on("message", async ({ prefix, calls }: LoadRequest) => {
    const names = Array.from({ length: calls }, (_, index) => `${prefix}-${index}`);
    await inFlight(concurrency, names, (name) => create(name, { value: "x".repeat(500) }));
    process.send?.("done");
  });
  process.send?.("ready");
}

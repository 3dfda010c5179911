import { inFlight } from "../in-flight.ts";

/** How many calls a contestant shall make. */
export interface Order {
  readonly prefix: string;
  readonly calls: number;
}

export const concurrency = 16;

/** Makes the calls that whoever started this process orders, and says when they are done; says once that it is ready. */
export function takesOrders(create: (name: string, data: Record<string, string>) => Promise<unknown>): void {
  process.on("disconnect", () => process.exit());
  process.on("message", async ({ prefix, calls }: Order) => {
    const names = Array.from({ length: calls }, (_, index) => `${prefix}-${index}`);
    await inFlight(concurrency, names, (name) => create(name, { value: "x".repeat(500) }));
    process.send?.("done");
  });
  process.send?.("ready");
}

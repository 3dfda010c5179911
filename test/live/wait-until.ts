import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";

/** As {@link eventually}, but looks only twice a second: pods take long, and they need this machine's processors. */
export function waitUntil<T>(assertion: () => T | Promise<T>, seconds: number): Promise<T> {
  return eventually(async () => {
    try {
      return await assertion();
    } catch (error) {
      await sleep(450);
      throw error;
    }
  }, seconds);
}

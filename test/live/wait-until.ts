import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";

/** As {@link eventually}, but polls only twice a second, because pods need this machine's CPU. */
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

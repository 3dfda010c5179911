import { readFileSync } from "node:fs";
import { join } from "node:path";

/** How the operator's image starts Node: measured is what is shipped, and the Dockerfile is where it is decided. */
export interface ShippedCommand {
  /** Options of Node, before the program. */
  readonly options: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

export function shippedCommand(): ShippedCommand {
  const text = readFileSync(join(import.meta.dirname, "../Dockerfile"), "utf8");
  const entrypoint = /^ENTRYPOINT (\[.*\])$/m.exec(text)?.[1];
  const environment = /^ENV (.*)$/m.exec(text)?.[1];
  if (entrypoint === undefined || environment === undefined)
    throw new Error("The Dockerfile has no ENTRYPOINT as a list, or no ENV: how the operator is started is not known.");
  const words: string[] = JSON.parse(entrypoint);
  const pairs = environment.split(" ").map((pair) => pair.split("="));
  return {
    options: words.filter((word) => word.startsWith("--")),
    // Where programs are is another matter on this machine.
    environment: Object.fromEntries(pairs.filter(([name]) => name !== "PATH")),
  };
}

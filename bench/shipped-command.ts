import { readFileSync } from "node:fs";
import { join } from "node:path";

/** How the image of the operator starts Node, read from the Dockerfile, so that the released configuration is measured. */
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
    throw new Error(
      "The Dockerfile has no ENTRYPOINT in list form or no ENV: cannot determine the command of the operator.",
    );
  const words: string[] = JSON.parse(entrypoint);
  const pairs = environment.split(" ").map((pair) => pair.split("="));
  return {
    options: words.filter((word) => word.startsWith("--")),
    // The PATH of this machine is different.
    environment: Object.fromEntries(pairs.filter(([name]) => name !== "PATH")),
  };
}

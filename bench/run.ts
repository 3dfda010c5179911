/** `npm run bench`, or `npm run bench -- event-loop`, `-- client`, `-- operator`, `-- requests`, `-- artifacts`, `-- workers`, `-- workspaces`. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

interface Bench {
  readonly text: string;
  readonly figures: object;
}

const say = (line: string) => void process.stderr.write(`${line}\n`);
const resultsFolder = join(import.meta.dirname, "results");

const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  "event-loop": async () => (await import("./event-loop/bench.ts")).eventLoopBench(resultsFolder, say),
  client: async () => (await import("./client/bench.ts")).clientBench(say),
  operator: async () => (await import("./operator/bench.ts")).operatorBench(resultsFolder, say),
  requests: async () => (await import("./requests/bench.ts")).requestsBench(say),
  artifacts: async () => (await import("./requests/artifacts.ts")).artifactsBench(say),
  workers: async () => (await import("./requests/workers.ts")).workersBench(say),
  workspaces: async () => (await import("./workspaces/bench.ts")).workspacesBench(resultsFolder, say),
};

const chosen = process.argv.slice(2);
for (const name of chosen.length > 0 ? chosen : ["operator"]) {
  const bench = benches[name];
  if (bench === undefined) {
    say(`Unknown bench "${name}": use ${Object.keys(benches).join(", ")}.`);
    process.exitCode = 2;
    break;
  }
  const { text, figures } = await bench();
  await mkdir(resultsFolder, { recursive: true });
  await writeFile(join(resultsFolder, `${name}.json`), `${JSON.stringify(figures, undefined, 2)}\n`);
  console.log(text);
}

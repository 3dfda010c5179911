import { type Client, startClient } from "./client.ts";
import { startEnvironment } from "./environment.ts";
import { median, type Sample, sample } from "./load.ts";
import { none } from "./methods.ts";
import { type Table, textOf, writeSection } from "./page.ts";
import { pssMebibytes } from "./process-tree.ts";
import { type PreparedServer, prepareServer } from "./server.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);
const milliseconds = Number(process.env["BENCH_MILLISECONDS"] ?? 1000);
const workers = numbers("BENCH_WORKERS") ?? [1, 2, 4];
/** Connections to the database that a process keeps; it opens ten more under load. */
const pools = numbers("BENCH_POOLS") ?? [5, 20];
const isComplete = rounds >= 3 && numbers("BENCH_WORKERS") === undefined && numbers("BENCH_POOLS") === undefined;

/** Routes with numbers of clients. */
const measured = [
  ["log-metric", 8],
  ["log-metric", 32],
  ["search", 8],
  ["search", 32],
] as const;

function numbers(name: string): number[] | undefined {
  return process.env[name]?.split(",").map(Number);
}

/** Measures servers with different numbers of worker processes and database connections, without authentication. */
export async function workersBench(say: (line: string) => void): Promise<{ text: string; figures: object }> {
  const environment = await startEnvironment([], say);
  const prepared: PreparedServer[] = [];
  const samples = new Map<string, Map<string, Sample[]>>();
  const memory = new Map<string, number>();
  try {
    const clients: Client[] = [];
    for (const count of workers)
      for (const pool of pools) {
        const name = `workers-${count}-pool-${pool}`;
        say(`Starting ${name}.`);
        const env = { MLFLOW_SQLALCHEMYSTORE_POOL_SIZE: String(pool) };
        const server = await prepareServer({ ...none, name }, environment, { server: { workers: count } }, env);
        prepared.push(server);
        await server.start();
        clients.push(await startClient(server, { name, credential: "none" }, environment));
        samples.set(name, new Map());
      }
    for (let round = 1; round <= rounds; round++)
      for (const [route, count] of measured)
        for (const client of clients) {
          const { name } = client.server.method;
          const found = await sample(client, route, count, milliseconds);
          say(`Round ${round}: ${route}, ${count}, ${name}: ${found.perSecond.toFixed(0)} per s`);
          const own = samples.get(name);
          const key = `${route}, ${count}`;
          own?.set(key, [...(own.get(key) ?? []), found]);
        }
    for (const server of prepared) memory.set(server.method.name, pssMebibytes(server.pids()));
  } finally {
    for (const server of prepared) await server.stop().catch((error: unknown) => say(String(error)));
    await environment.close();
  }
  const figures = Object.fromEntries(
    [...samples].map(([name, own]) => [
      name,
      {
        mebibytes: memory.get(name) ?? 0,
        ...Object.fromEntries(
          [...own].map(([key, each]) => [
            key,
            { perSecond: median(each.map((one) => one.perSecond)), p50: median(each.map((one) => one.p50)) },
          ]),
        ),
      },
    ]),
  );
  const tables = [tableOf(samples, memory)];
  if (isComplete)
    await writeSection(
      "workers",
      `medians of ${rounds} rounds: \`npm run bench -- workers\`. Requests per second, and the median latency in ms in parentheses.`,
      tables,
    );
  return { text: textOf(tables), figures };
}

function tableOf(
  samples: ReadonlyMap<string, ReadonlyMap<string, readonly Sample[]>>,
  memory: ReadonlyMap<string, number>,
): Table {
  const rows = [...samples].map(([name, own]) => [
    name.replaceAll("-", " "),
    ...measured.map(([route, count]) => {
      const found = own.get(`${route}, ${count}`) ?? [];
      const [perSecond, p50] = [median(found.map((one) => one.perSecond)), median(found.map((one) => one.p50))];
      return `${perSecond.toFixed(0)} (${p50.toFixed(0)})`;
    }),
    (memory.get(name) ?? 0).toFixed(0),
  ]);
  const columns = measured.map(([route, count]) => `\`${route}\`, ${count} clients`);
  return { head: ["server", ...columns, "MiB (PSS)"], rows };
}

import { type Client, type Route, routes, startClient } from "./client.ts";
import { startEnvironment } from "./environment.ts";
import { median, type Sample, sample } from "./load.ts";
import { type MeasuredClient, methods } from "./methods.ts";
import { ratio, type Table, textOf, writeSection } from "./page.ts";
import { pssMebibytes } from "./process-tree.ts";
import { type PreparedServer, prepareServer, type Start } from "./server.ts";

/** `BENCH_ROUNDS=1` and lists of routes and clients, such as `BENCH_ROUTES=search,OTLP`, make a run shorter. */
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);
const chosenRoutes = process.env["BENCH_ROUTES"]?.split(",");
const chosenMethods = process.env["BENCH_METHODS"]?.split(",");
const milliseconds = Number(process.env["BENCH_MILLISECONDS"] ?? 600);

const measuredRoutes = Object.entries(routes)
  .map(([route, counts]): [Route, readonly number[]] => [route as Route, counts])
  .filter(([route]) => chosenRoutes?.includes(route) ?? true);
const measuredMethods = methods.filter(
  ({ name, isPlain = false }) => isPlain || (chosenMethods?.includes(name) ?? true),
);
const isComplete = rounds >= 3 && chosenRoutes === undefined && chosenMethods === undefined;

interface Measured {
  readonly starts: Start[];
  /** Memory after all requests, in MiB. */
  loaded: number;
}

const keyOf = (route: Route, count: number) => `${route}, ${count}`;

/**
 * Measures requests with each authentication method, compared with MLflow without the operator. In each round each client sends
 * requests for each route and number of connections; medians are reported. Each server has one worker and its own database in
 * one PostgreSQL. Requires root, for mounts.
 */
export async function requestsBench(say: (line: string) => void): Promise<{ text: string; figures: object }> {
  const environment = await startEnvironment(measuredMethods, say);
  const prepared: PreparedServer[] = [];
  const servers = new Map<string, Measured>();
  const samples = new Map<string, Map<string, Sample[]>>();
  try {
    for (const method of measuredMethods) {
      say(`Migrating the database of ${method.name}.`);
      prepared.push(await prepareServer(method, environment));
      servers.set(method.name, { starts: [], loaded: 0 });
    }
    for (let round = 1; round <= rounds; round++)
      for (const server of prepared) {
        const { name } = server.method;
        const start = await server.start();
        servers.get(name)?.starts.push(start);
        say(`Start ${round}: ${name}, ${start.seconds.toFixed(1)} s, ${start.mebibytes.toFixed(0)} MiB.`);
        if (round < rounds) await server.stop();
      }
    for (let round = 1; round <= rounds; round++) {
      const clients: [MeasuredClient, Client][] = [];
      for (const server of prepared)
        for (const client of server.method.clients)
          clients.push([client, await startClient(server, client, environment)]);
      for (const [route, counts] of measuredRoutes)
        for (const count of counts)
          for (const [{ name }, client] of clients) {
            const found = await sample(client, route, count, milliseconds);
            const { p50, cpuPerRequest } = found;
            say(
              `Round ${round}: ${route}, ${count}, ${name}: ${p50.toFixed(1)} ms, ${cpuPerRequest.toFixed(1)} ms of CPU`,
            );
            const own = samples.get(name) ?? new Map<string, Sample[]>();
            samples.set(name, own);
            const key = keyOf(route, count);
            own.set(key, [...(own.get(key) ?? []), found]);
          }
    }
    for (const server of prepared) {
      const measured = servers.get(server.method.name);
      if (measured !== undefined) measured.loaded = pssMebibytes(server.pids().slice(0, 1));
    }
  } finally {
    for (const server of prepared) await server.stop().catch((error: unknown) => say(String(error)));
    await environment.close();
  }
  const figures = {
    servers: Object.fromEntries([...servers].map(([name, each]) => [name, mediansOfServer(each)])),
    requests: Object.fromEntries([...samples].map(([name, each]) => [name, mediansOfRequests(each)])),
  };
  const tables = tablesOf(figures);
  if (isComplete)
    await writeSection(
      "requests",
      `medians of ${rounds} rounds: \`npm run bench -- requests\`. The ratio to plain MLflow is in parentheses.`,
      tables,
    );
  else say("docs/performance.md is not changed: that requires three rounds or more, and all routes and methods.");
  return { text: textOf(tables), figures };
}

interface ServerFigures extends Start {
  readonly loaded: number;
}

interface Figures {
  readonly servers: Readonly<Record<string, ServerFigures>>;
  readonly requests: Readonly<Record<string, Readonly<Record<string, Sample>>>>;
}

function mediansOfServer({ starts, loaded }: Measured): ServerFigures {
  return {
    seconds: median(starts.map(({ seconds }) => seconds)),
    mebibytes: median(starts.map(({ mebibytes }) => mebibytes)),
    loaded,
  };
}

function mediansOfRequests(samples: ReadonlyMap<string, readonly Sample[]>): Record<string, Sample> {
  const of = (each: readonly Sample[], key: keyof Sample) => median(each.map((one) => one[key]));
  return Object.fromEntries(
    [...samples].map(([key, each]) => [
      key,
      { p50: of(each, "p50"), perSecond: of(each, "perSecond"), cpuPerRequest: of(each, "cpuPerRequest") },
    ]),
  );
}

/** Returns the tables; each figure has its ratio to plain MLflow. */
function tablesOf({ servers, requests }: Figures): readonly Table[] {
  const { plain } = servers;
  const starts = Object.entries(servers).map(([name, { seconds, mebibytes, loaded }]) => [
    name,
    ratio(seconds, plain?.seconds),
    ratio(mebibytes, plain?.mebibytes, 0),
    ratio(loaded, plain?.loaded, 0),
  ]);
  const base = requests["plain"];
  const tables = measuredRoutes.map(([route, counts]) => {
    const columns = counts.flatMap((count): [string, string, keyof Sample, number][] =>
      count === 32
        ? [["per s, 32 clients", keyOf(route, count), "perSecond", 0]]
        : [
            [`p50 ms, ${count}`, keyOf(route, count), "p50", 1],
            [`CPU ms, ${count}`, keyOf(route, count), "cpuPerRequest", 1],
          ],
    );
    return {
      head: [`\`${route}\``, ...columns.map(([head]) => head)],
      rows: Object.entries(requests).map(([name, own]) => [
        name,
        ...columns.map(([, at, key, digits]) => ratio(own[at]?.[key], base?.[at]?.[key], digits)),
      ]),
    };
  });
  return [{ head: ["start", "seconds", "MiB (PSS)", "MiB after the requests"], rows: starts }, ...tables];
}

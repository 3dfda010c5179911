import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { startOidcIssuer } from "../../test/support/oidc/oidc-issuer.ts";
import { table } from "../table.ts";
import { median, type Route, routes, type Sample, sample } from "./load.ts";
import { clientID, methods, person } from "./methods.ts";
import { startPostgresql } from "./postgresql.ts";
import { pssMebibytes } from "./process-tree.ts";
import { rootFileSystem } from "./root-file-system.ts";
import { type PreparedServer, prepareServer, type RunningServer, type Start } from "./server.ts";

/** Set `BENCH_ROUNDS=1` for a shorter run. */
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);
const chosen = process.env["BENCH_ROUTES"]?.split(",");
const measuredRoutes = routes.filter((route) => chosen?.includes(route) ?? true);
const clientCounts = [1, 8, 32] as const;

interface Measurements {
  readonly starts: Start[];
  readonly samples: Map<string, Sample[]>;
  /** Memory after all requests, in MiB. */
  loaded?: number;
}

const keyOf = (route: Route, clients: number) => `${route}, ${clients}`;

/**
 * Measures requests with each authentication method, compared with MLflow without the operator. In each round each server
 * gets requests for each route and number of clients; medians are reported. Each server has one worker and its own database
 * in one PostgreSQL. Requires root, for mounts.
 */
export async function requestsBench(say: (line: string) => void): Promise<{ text: string; figures: object }> {
  const root = await rootFileSystem("mlflow-server:3.17.2", say);
  const folder = await mkdtemp(join(tmpdir(), "bench-requests-"));
  const issuer = await startOidcIssuer({
    scheme: "http",
    clients: [{ id: clientID, secret: "secret-of-the-client", redirectUris: ["http://localhost/callback"] }],
    people: [{ login: person, password: "unused", groups: ["users"] }],
    tokenSeconds: 24 * 3600,
  });
  const database = await startPostgresql(join(folder, "postgresql"), say);
  const prepared = new Map<string, PreparedServer>();
  const measured = new Map<string, Measurements>();
  try {
    for (const method of methods(issuer)) {
      say(`Migrating the database of ${method.name}.`);
      prepared.set(method.name, await prepareServer(method, root, join(folder, method.name), database, issuer));
      measured.set(method.name, { starts: [], samples: new Map() });
    }
    for (let round = 1; round <= rounds; round++)
      for (const [name, server] of prepared) {
        const start = await server.start();
        measured.get(name)?.starts.push(start);
        say(`Start ${round}: ${name}, ${start.seconds.toFixed(1)} s, ${start.mebibytes.toFixed(0)} MiB.`);
        if (round < rounds) await server.stop();
      }
    const running = new Map<string, RunningServer>();
    for (const [name, server] of prepared) running.set(name, await server.use());
    for (let round = 1; round <= rounds; round++)
      for (const route of measuredRoutes)
        for (const clients of clientCounts)
          for (const [name, server] of running) {
            const found = await sample(server, route, clients);
            say(`Round ${round}: ${route}, ${clients}, ${name}: ${found.p50.toFixed(1)} ms`);
            const samples = measured.get(name)?.samples;
            const key = keyOf(route, clients);
            samples?.set(key, [...(samples.get(key) ?? []), found]);
          }
    for (const [name, server] of running) {
      const measurements = measured.get(name);
      if (measurements !== undefined) measurements.loaded = pssMebibytes(server.pids());
    }
  } finally {
    for (const server of prepared.values()) await server.stop().catch(() => {});
    await database.close();
    await issuer.close();
    await rm(folder, { recursive: true, force: true });
  }
  const figures = Object.fromEntries([...measured].map(([name, each]) => [name, medians(each)]));
  const tables = tablesOf(figures);
  if (isComplete) await writeToPage(tables);
  else say(`${page} is not changed: that requires three rounds or more, and all routes.`);
  return { text: tables.map(({ head, rows }) => table(head, rows)).join("\n\n"), figures };
}

const page = "docs/performance.md";
const isComplete = rounds >= 3 && chosen === undefined;

interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Replaces the figures of the page, between its two markers. */
async function writeToPage(tables: readonly Table[]): Promise<void> {
  const path = join(import.meta.dirname, "../..", page);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const markdown = tables.map(({ head, rows }) =>
    [line(head), line(head.map((_, index) => (index === 0 ? "---" : "--:"))), ...rows.map(line)].join("\n"),
  );
  const [cpu] = cpus();
  const machine = `${cpus().length} × ${cpu?.model ?? "CPU"}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  const note = `MLflow 3.17.2, ${machine}, medians of ${rounds} rounds. The ratio to plain MLflow is in parentheses.`;
  const text = await readFile(path, "utf8");
  const replaced = text.replace(
    /(<!-- figures: start -->\n).*(<!-- figures: end -->)/s,
    (_, start: string, end: string) => `${start}${[note, ...markdown].join("\n\n")}\n${end}`,
  );
  if (replaced === text) throw new Error(`${page} has no markers for the figures.`);
  await writeFile(path, replaced);
}

interface Medians {
  readonly start: Start;
  readonly loaded: number;
  readonly requests: Readonly<Record<string, Sample>>;
}

function medians({ starts, samples, loaded = 0 }: Measurements): Medians {
  const of = <T>(values: readonly T[], key: (value: T) => number) => median(values.map(key));
  return {
    loaded,
    start: { seconds: of(starts, (each) => each.seconds), mebibytes: of(starts, (each) => each.mebibytes) },
    requests: Object.fromEntries(
      [...samples].map(([key, each]) => [
        key,
        {
          p50: of(each, ({ p50 }) => p50),
          perSecond: of(each, ({ perSecond }) => perSecond),
          cpuPerRequest: of(each, ({ cpuPerRequest }) => cpuPerRequest),
        },
      ]),
    ),
  };
}

/** Returns the tables; each figure has its ratio to plain MLflow. */
function tablesOf(figures: Readonly<Record<string, Medians>>): readonly Table[] {
  const plain = figures["plain"];
  const against = (amount = 0, base = 0, digits = 1) => `${amount.toFixed(digits)} (${(amount / base).toFixed(2)})`;
  const starts = Object.entries(figures).map(([name, { start, loaded }]) => [
    name,
    against(start.seconds, plain?.start.seconds),
    against(start.mebibytes, plain?.start.mebibytes, 0),
    against(loaded, plain?.loaded, 0),
  ]);
  const requests = measuredRoutes.flatMap((route) =>
    Object.entries(figures).map(([name, { requests }]) => {
      const cell = (clients: number, key: keyof Sample, digits?: number) => {
        const at = keyOf(route, clients);
        return against(requests[at]?.[key], plain?.requests[at]?.[key], digits);
      };
      const cells = [cell(1, "p50"), cell(1, "cpuPerRequest"), cell(8, "p50"), cell(8, "cpuPerRequest")];
      return [`${route}, ${name}`, ...cells, cell(32, "perSecond", 0)];
    }),
  );
  return [
    { head: ["start", "seconds", "MiB (PSS)", "MiB after the requests"], rows: starts },
    { head: ["request", "p50 ms, 1 client", "CPU ms, 1", "p50 ms, 8", "CPU ms, 8", "per s, 32"], rows: requests },
  ];
}

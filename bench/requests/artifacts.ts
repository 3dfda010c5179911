import { fetchedArtifact, sentArtifact } from "../../test/live/large-artifact.ts";
import { startClient } from "./client.ts";
import { startEnvironment } from "./environment.ts";
import { httpClient } from "./http-client.ts";
import { median } from "./load.ts";
import { methods } from "./methods.ts";
import { ratio, type Table, textOf, writeSection } from "./page.ts";
import { cpuMilliseconds, pssMebibytes } from "./process-tree.ts";
import { type PreparedServer, prepareServer } from "./server.ts";

/** The size of the artifact. */
const mebibytes = Number(process.env["BENCH_MEBIBYTES"] ?? 2048);
const rounds = Number(process.env["BENCH_ROUNDS"] ?? 3);
const chosen = process.env["BENCH_METHODS"]?.split(",");
const names = ["plain", "none", "basic", "oidc", "oauth2-proxy"];

const successes = [200, 204];

/** A transfer of the artifact. */
interface Transfer {
  readonly perSecond: number;
  readonly cpuSeconds: number;
  /** The highest memory during the transfer, above that before it, in MiB. */
  readonly more: number;
}

/**
 * Measures uploads and downloads of a large artifact through MLflow, with each of some authentication methods, compared with MLflow
 * without the operator. The artifact is on a local disk.
 */
export async function artifactsBench(say: (line: string) => void): Promise<{ text: string; figures: object }> {
  const measured = methods.filter(({ name, isPlain = false }) => isPlain || (chosen ?? names).includes(name));
  const environment = await startEnvironment(measured, say);
  const prepared: PreparedServer[] = [];
  const transfers = new Map<string, { up: Transfer[]; down: Transfer[] }>();
  try {
    for (const method of measured) {
      say(`Starting ${method.name}.`);
      const server = await prepareServer(method, environment);
      prepared.push(server);
      await server.start();
      transfers.set(method.name, { up: [], down: [] });
    }
    for (let round = 1; round <= rounds; round++)
      for (const server of prepared) {
        const { name, clients } = server.method;
        const [first] = clients;
        if (first === undefined) continue;
        const { headers, artifactPath } = await startClient(server, first, environment);
        const place = {
          address: "127.0.0.1",
          port: server.port,
          path: artifactPath,
          headers: { host: `127.0.0.1:${server.port}`, ...headers },
        };
        const up = await transfer(server, () => sentArtifact(place, mebibytes));
        const down = await transfer(server, () => fetchedArtifact(place));
        if (up.hash !== down.hash) throw new Error(`${name}: the downloaded artifact differs from the uploaded one.`);
        const client = httpClient(server.port, headers);
        const { status } = await client.send({ method: "DELETE", path: artifactPath });
        client.close();
        if (!successes.includes(status)) throw new Error(`${name}: ${status} at the deletion of the artifact.`);
        transfers.get(name)?.up.push(up);
        transfers.get(name)?.down.push(down);
        say(`Round ${round}: ${name}: ${up.perSecond.toFixed(0)} MiB/s up, ${down.perSecond.toFixed(0)} MiB/s down`);
      }
  } finally {
    for (const server of prepared) await server.stop().catch((error: unknown) => say(String(error)));
    await environment.close();
  }
  const figures = Object.fromEntries(
    [...transfers].map(([name, { up, down }]) => [name, { up: medianOf(up), down: medianOf(down) }]),
  );
  const tables = [tableOf(figures)];
  if (rounds >= 3 && chosen === undefined)
    await writeSection(
      "artifacts",
      `medians of ${rounds} rounds: \`npm run bench -- artifacts\`, an artifact of ${mebibytes} MiB. The ratio to plain MLflow is in parentheses.`,
      tables,
    );
  return { text: textOf(tables), figures };
}

async function transfer(server: PreparedServer, send: () => Promise<{ status: number; hash: string }>) {
  const [before, cpu] = [pssMebibytes(server.pids()), cpuMilliseconds(server.pids())];
  let highest = before;
  const timer = setInterval(() => {
    highest = Math.max(highest, pssMebibytes(server.pids()));
  }, 250);
  const began = performance.now();
  try {
    const { status, hash } = await send();
    if (!successes.includes(status)) throw new Error(`${server.method.name}: ${status}`);
    return {
      hash,
      perSecond: mebibytes / ((performance.now() - began) / 1000),
      cpuSeconds: (cpuMilliseconds(server.pids()) - cpu) / 1000,
      more: highest - before,
    };
  } finally {
    clearInterval(timer);
  }
}

function medianOf(transfers: readonly Transfer[]): Transfer {
  const of = (key: keyof Transfer) => median(transfers.map((each) => each[key]));
  return { perSecond: of("perSecond"), cpuSeconds: of("cpuSeconds"), more: of("more") };
}

function tableOf(figures: Readonly<Record<string, { up: Transfer; down: Transfer }>>): Table {
  const { plain } = figures;
  const rows = Object.entries(figures).map(([name, { up, down }]) => [
    name,
    ratio(up.perSecond, plain?.up.perSecond, 0),
    ratio(up.cpuSeconds, plain?.up.cpuSeconds),
    up.more.toFixed(0),
    ratio(down.perSecond, plain?.down.perSecond, 0),
    ratio(down.cpuSeconds, plain?.down.cpuSeconds),
    down.more.toFixed(0),
  ]);
  const columns = (direction: string) => [`${direction} MiB/s`, "CPU s", "more MiB of memory"];
  return { head: ["artifact", ...columns("up,"), ...columns("down,")], rows };
}

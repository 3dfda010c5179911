/** Measures workspaces on a real API server, compared with a client that only writes; requests are counted in its audit log. */
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { resourcePath } from "../../src/kube/kinds.ts";
import { label } from "../../src/kube/names.ts";
import { type ControlPlane, startControlPlane } from "../../test/control-plane/control-plane.ts";
import { type AuditLog, auditLog, type Call, type Mark } from "../../test/support/audit-log.ts";
import { adminRequest, mergePatch } from "../admin-request.ts";
import { atMost, type Figure } from "../figure.ts";
import { accounts, builtBundle, install, userOf } from "../operator/installation.ts";
import { startNode } from "../operator/node.ts";
import { type OperatorProcess, operatorProcess } from "../operator/operator-process.ts";
import { table } from "../table.ts";
import {
  bareSeconds,
  boundIn,
  createNamespaces,
  createServer,
  host,
  oneMore,
  reportedReady,
  setGrants,
  twoGrants,
} from "./fixture.ts";

const workspaces = 1300;
const bindings = 2 * workspaces;
const otherNamespaces = 10_000 - workspaces;
const [account] = accounts;
const among = `among ${otherNamespaces} others: `;

/** Runs all measurements, in some minutes; `say` receives the progress. */
export async function workspacesBench(
  resultsFolder: string,
  say: (line: string) => void,
): Promise<{ text: string; figures: readonly Figure[] }> {
  await mkdir(resultsFolder, { recursive: true });
  say("building the bundle, starting a control plane");
  const bundle = await builtBundle();
  const cluster = await startControlPlane({ controllerManager: false });
  const log = auditLog(cluster);
  const node = await startNode(cluster);
  const figures: Figure[] = [];
  const add = (...found: readonly Figure[]) => {
    figures.push(...found);
    for (const { name, value, met } of found) say(`  ${met === false ? "MISSED" : "      "} ${name}: ${value}`);
  };
  const start = () =>
    operatorProcess(cluster, {
      bundle,
      account,
      server: cluster.url,
      logPath: join(resultsFolder, "workspaces.log"),
    });
  const callsSince = async (since: Mark) =>
    (await log.calls({ since, user: userOf(account) })).filter(
      ({ verb, resource }) => verb !== "watch" && resource !== "leases",
    );
  try {
    await install(cluster);
    say(`${workspaces} namespaces`);
    await createNamespaces(cluster, "ws", workspaces);
    let operator = await start();
    await createServer(cluster);
    await reportedReady(cluster, workspaces);

    say(`${bindings} bindings`);
    const first = await granting(cluster, log, callsSince, "1");
    add(...first.figures);
    add(residentMemory("", await operator.restingRss()));
    add(...(await quiet(cluster, log, callsSince)));
    const alone = await restarted(operator, start, log, callsSince, "");
    operator = alone.operator;
    add(...alone.figures);

    say(`${otherNamespaces} further namespaces`);
    await createNamespaces(cluster, "other", otherNamespaces);
    const others = await restarted(operator, start, log, callsSince, among);
    operator = others.operator;
    add(...others.figures);
    await setGrants(cluster, []);
    await boundIn(cluster, 0);
    const second = await granting(cluster, log, callsSince, "2");
    add(...second.figures.map((figure) => ({ ...figure, name: `${among}${figure.name}` })));
    add(residentMemory(among, await operator.restingRss()));
    add(...changes(figures));
    operator.signal("SIGTERM");
    await operator.ended;
  } finally {
    node.stop();
    await cluster.close();
    await rm(dirname(bundle), { recursive: true });
  }
  const rows = figures.map(({ name, value, target, met }) => [
    name,
    value,
    target,
    met === undefined ? "" : met ? "yes" : "NO",
  ]);
  return { text: table(["figure", "measured", "target", "met"], rows), figures };
}

type Calls = (since: Mark) => Promise<readonly Call[]>;

/** Creates two bindings in each workspace, between two runs of the bare client. */
async function granting(cluster: ControlPlane, log: AuditLog, calls: Calls, run: string) {
  const before = await bareSeconds(cluster, cluster.url, `before-${run}`, workspaces);
  const since = await log.mark();
  const began = performance.now();
  await setGrants(cluster, twoGrants);
  await boundIn(cluster, bindings);
  const seconds = (performance.now() - began) / 1000;
  await reportedReady(cluster, workspaces);
  await sleep(2000);
  const made = (await calls(since)).length;
  const after = await bareSeconds(cluster, cluster.url, `after-${run}`, workspaces);
  const mean = (before + after) / 2;
  const figures = [
    atMost(`${bindings} bindings, against a bare client`, seconds / mean, 2, {
      unit: "×",
      digits: 2,
      note: `${seconds.toFixed(1)} s against ${mean.toFixed(1)} s`,
      detail: { seconds, bareSeconds: [before, after] },
    }),
    atMost("calls per binding, status of the server included", made / bindings, 1.02, {
      digits: 4,
      note: `${made} calls`,
    }),
  ];
  return { figures, seconds };
}

/** Changes that must cause no request for workspaces, and one that must cause one. */
async function quiet(cluster: ControlPlane, log: AuditLog, calls: Calls): Promise<readonly Figure[]> {
  const ofWorkspaces = (all: readonly Call[]) => all.filter(({ namespace }) => namespace.startsWith("ws-")).length;
  const still = await log.mark();
  // The Deployment is repaired, its pods are reported again, and another client writes the status of the server.
  const drift = { metadata: { labels: { [label.application]: "drift" } } };
  await adminRequest(cluster, "PATCH", resourcePath("Deployment", host, "tracking"), drift, mergePatch);
  const status = { status: { readyReplicas: 7 } };
  await adminRequest(cluster, "PATCH", resourcePath("MlflowServer", host, "tracking", "status"), status, mergePatch);
  await sleep(5000);
  const all = await calls(still);
  const change = await log.mark();
  await setGrants(cluster, oneMore);
  await boundIn(cluster, bindings + 1);
  await sleep(2000);
  const one = ofWorkspaces(await calls(change));
  await setGrants(cluster, twoGrants);
  await boundIn(cluster, bindings);
  // The status is updated within a second.
  await sleep(2500);
  return [
    atMost("calls to workspaces for a drifted Deployment and a changed status", ofWorkspaces(all), 0, {
      note: `${all.length} to the server`,
    }),
    atMost("calls to workspaces for one more grant in one of them", one, 1),
  ];
}

/** Compares each figure with and without namespaces that are not workspaces. */
function changes(figures: readonly Figure[]): Figure[] {
  return figures.flatMap(({ name, amount: before = 0 }) => {
    const after = figures.find((figure) => figure.name === `${among}${name}`)?.amount;
    if (after === undefined || before === 0) return [];
    return atMost(`${among}change of: ${name}`, after / before, 1.1, { unit: "×", digits: 2 });
  });
}

function residentMemory(prefix: string, bytes: number, suffix = ""): Figure {
  return atMost(`${prefix}resident memory${suffix}`, bytes / 1e6, 100, { unit: "MB", digits: 1 });
}

/** Restarts the operator without changes. */
async function restarted(
  before: OperatorProcess,
  start: () => Promise<OperatorProcess>,
  log: AuditLog,
  calls: Calls,
  prefix: string,
) {
  before.signal("SIGTERM");
  await before.ended;
  const since = await log.mark();
  const began = performance.now();
  const operator = await start();
  const seconds = (performance.now() - began) / 1000;
  await sleep(3000);
  const memory = residentMemory(prefix, await operator.restingRss(), " after a restart");
  const made = await calls(since);
  const reads = made.filter(({ verb }) => verb === "list" || verb === "get").length;
  return {
    operator,
    figures: [
      atMost(`${prefix}ready after a restart`, seconds, 2, { unit: "s", digits: 2 }),
      memory,
      atMost(`${prefix}reads of a restart`, reads, 40),
      atMost(`${prefix}writes of a restart`, made.length - reads, 0),
    ],
  };
}

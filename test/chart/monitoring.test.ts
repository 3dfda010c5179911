import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { completed, succeeded } from "../control-plane/completed.ts";
import { freePort } from "../control-plane/free-port.ts";
import { eventually } from "../support/eventually.ts";
import { proxyMetrics } from "../support/proxy-metrics.ts";
import { prometheusMissing, prometheusProgram } from "./prometheus-programs.ts";
import { renderedObjects } from "./rendering.ts";

const root = join(import.meta.dirname, "../..");

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** For each alert, series with which it fires after an hour or `after`, its labels, and series with which it does not. Values are those of each minute. */
interface Case {
  readonly after?: string;
  readonly fires: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly isSilent: Readonly<Record<string, string>>;
}

const of = (labels: Readonly<Record<string, string>>) =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");
const mlflow = { namespace: "team-a", server: "mlflow" };
const other = of({ namespace: "team-b", server: "mlflow" });
const one = of(mlflow);
const requests = (status: string, labels = one, route = "runs") =>
  `mlflow_server_http_requests_total{${labels},route="${route}",method="POST",status="${status}"}`;
const bucket = (le: string, route = "runs", labels = one) =>
  `mlflow_server_http_request_duration_seconds_bucket{${labels},route="${route}",le="${le}"}`;
const proxied = (code: string, labels = one) => `oauth2_proxy_requests_total{${labels},code="${code}"}`;
const state = (name: string) => `mlflow_operator_server_state{namespace="team-a",name="mlflow",state="${name}"}`;
const endpoint = (status: string, reason: string) =>
  `mlflow_operator_server_endpoint_secured{namespace="team-a",name="mlflow",status="${status}",reason="${reason}"}`;
const backup = (what: string) =>
  `mlflow_operator_backup_${what}{namespace="team-a",server="mlflow",schedule="nightly"}`;
const watch = 'resource="mlflowservers"';

const cases: Readonly<Record<string, Case>> = {
  MlflowServerStalled: {
    fires: { [state("stalled")]: "1x60", [state("ready")]: "0x60" },
    labels: { namespace: "team-a", name: "mlflow", state: "stalled" },
    isSilent: { [state("stalled")]: "0x60", [state("progressing")]: "1x60" },
  },
  MlflowServerEndpointOpen: {
    fires: { [endpoint("False", "EndpointOpen")]: "1x60" },
    labels: { namespace: "team-a", name: "mlflow", status: "False", reason: "EndpointOpen" },
    isSilent: {
      [endpoint("False", "AuthenticationDisabled")]: "1x60",
      [endpoint("Unknown", "ProbeFailed")]: "1x60",
      [endpoint("True", "Secured")]: "1x60",
    },
  },
  MlflowServerEndpointNotProbed: {
    fires: { [endpoint("Unknown", "ProbeFailed")]: "1x60" },
    labels: { namespace: "team-a", name: "mlflow", status: "Unknown", reason: "ProbeFailed" },
    isSilent: { [endpoint("Unknown", "NotChecked")]: "1x60", [endpoint("Unknown", "Hibernated")]: "1x60" },
  },
  MlflowBackupOverdue: {
    after: "7h",
    fires: { [backup("due_timestamp_seconds")]: "7200x420", [backup("last_success_timestamp_seconds")]: "3600x420" },
    labels: { namespace: "team-a", server: "mlflow", schedule: "nightly" },
    isSilent: { [backup("due_timestamp_seconds")]: "7200x420", [backup("last_success_timestamp_seconds")]: "7260x420" },
  },
  MlflowBackupFailed: {
    fires: { [backup("failures")]: "1x60" },
    labels: { namespace: "team-a", server: "mlflow", schedule: "nightly" },
    isSilent: { [backup("failures")]: "0x60" },
  },
  MlflowOperatorWatchStale: {
    fires: { [`mlflow_operator_watch_age_seconds{${watch}}`]: "0+60x60" },
    labels: { resource: "mlflowservers" },
    isSilent: { [`mlflow_operator_watch_age_seconds{${watch}}`]: "120x60" },
  },
  MlflowOperatorWatchNotSynced: {
    fires: { [`mlflow_operator_watch_synced{${watch}}`]: "0x60" },
    labels: { resource: "mlflowservers" },
    isSilent: { [`mlflow_operator_watch_synced{${watch}}`]: "1x60" },
  },
  MlflowOperatorNoLeader: {
    fires: {
      'leader_election_master_status{pod="a"}': "0x60",
      'leader_election_master_status{pod="b"}': "0x60",
    },
    labels: {},
    isSilent: { 'leader_election_master_status{pod="a"}': "0x60", 'leader_election_master_status{pod="b"}': "1x60" },
  },
  MlflowOperatorUpgradeStopped: {
    fires: { 'mlflow_operator_upgrade_servers{state="failed"}': "1x60" },
    labels: { state: "failed" },
    isSilent: { 'mlflow_operator_upgrade_servers{state="failed"}': "0x60" },
  },
  MlflowOperatorReconcileErrors: {
    fires: { 'controller_runtime_reconcile_errors_total{controller="mlflowserver"}': "0+1x60" },
    labels: { controller: "mlflowserver" },
    isSilent: { 'controller_runtime_reconcile_errors_total{controller="mlflowserver"}': "5x60" },
  },
  MlflowServerDown: {
    fires: {
      [`up{${one},container="mlflow",pod="a"}`]: "0x60",
      [`up{${one},container="mlflow",pod="b"}`]: "0x60",
      [`up{${one},container="oauth2-proxy",pod="a"}`]: "1x60",
    },
    labels: mlflow,
    isSilent: {
      [`up{${one},container="mlflow",pod="a"}`]: "0x60",
      [`up{${one},container="mlflow",pod="b"}`]: "1x60",
      'up{namespace="other",container="mlflow"}': "0x60",
    },
  },
  MlflowServerErrors: {
    fires: {
      [requests("200")]: "0+90x60",
      [requests("503")]: "0+10x60",
      [requests("200", one, "health")]: "0+9000x60",
      [requests("200", other)]: "0+100x60",
    },
    labels: mlflow,
    isSilent: {
      [requests("200")]: "0+100x60",
      [requests("404")]: "0+100x60",
      [requests("503")]: "0+5x60",
      [requests("503", one, "health")]: "0+100x60",
      [requests("503", other)]: "9x60",
    },
  },
  MlflowServerSlow: {
    fires: { [bucket("5.0")]: "0+90x60", [bucket("10.0")]: "0+100x60", [bucket("+Inf")]: "0+100x60" },
    labels: mlflow,
    isSilent: {
      [bucket("2.5")]: "0+100x60",
      [bucket("+Inf")]: "0+100x60",
      [bucket("5.0", "artifacts")]: "0x60",
      [bucket("+Inf", "artifacts")]: "0+100x60",
    },
  },
  MlflowProxyErrors: {
    fires: { [proxied("200")]: "0+90x60", [proxied("502")]: "0+10x60", [proxied("200", other)]: "0+100x60" },
    labels: mlflow,
    isSilent: { [proxied("200")]: "0+90x60", [proxied("401")]: "0+90x60", [proxied("502")]: "0+1x60" },
  },
};

/** Starts a program that ends with the test. */
function started(context: TestContext, program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void {
  const child = spawn(program, args, { stdio: "ignore", env: { PATH: process.env["PATH"], ...env } });
  const ended = once(child, "exit");
  context.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
}

describe("alerts and the dashboard", () => {
  let alerts: readonly Alert[] = [];
  let groups: unknown;
  let dashboard = "";
  let directory = "";
  before(async () => {
    const objects = await renderedObjects("everything");
    const rule = objects.find(({ kind }) => kind === "PrometheusRule")?.["spec"] as { groups: { rules: Alert[] }[] };
    alerts = rule.groups.flatMap(({ rules }) => rules);
    groups = rule.groups;
    const map = objects.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name.endsWith("-dashboard"));
    dashboard = (map?.["data"] as Record<string, string> | undefined)?.["mlflow-servers.json"] ?? "";
    directory = await mkdtemp(join(tmpdir(), "mlflow-operator-alerts-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  /** The annotation with the labels in place of the templates. */
  const filled = (text: string, labels: Readonly<Record<string, string>>) =>
    text.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => labels[name] ?? "");

  test("promtool accepts the alerts, and each fires and is silent with the series of its case", async (context) => {
    const missing = await prometheusMissing();
    if (missing !== undefined) return context.skip(missing);
    assert.deepEqual(Object.keys(cases).sort(), alerts.map(({ alert }) => alert).sort());
    const tests = alerts.flatMap(({ alert, labels, annotations }) => {
      const found = cases[alert];
      const expected = { ...labels, ...found?.labels };
      const texts = Object.entries(annotations).map(([name, text]) => [name, filled(text, expected)]);
      const fired = [{ exp_labels: expected, exp_annotations: Object.fromEntries(texts) }];
      return [
        { series: found?.fires, exp_alerts: fired },
        { series: found?.isSilent, exp_alerts: [] },
      ].map(({ series = {}, exp_alerts }) => ({
        interval: "1m",
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        alert_rule_test: [{ eval_time: found?.after ?? "1h", alertname: alert, exp_alerts }],
      }));
    });
    await writeFile(join(directory, "rules.yaml"), JSON.stringify({ groups }));
    await writeFile(
      join(directory, "tests.yaml"),
      JSON.stringify({ rule_files: ["rules.yaml"], evaluation_interval: "1m", tests }),
    );
    const promtool = await prometheusProgram("promtool");
    const { code, stdout, stderr } = await completed(promtool, ["test", "rules", "tests.yaml"], { cwd: directory });
    assert.equal(code, 0, stdout + stderr);
  });

  test("a real Prometheus scrapes the listener of MLflow's process, and loads the alerts", async (context) => {
    const missing = await prometheusMissing();
    if (missing !== undefined) return context.skip(missing);
    const [listener, web] = [await freePort(), await freePort()];
    const listen = [
      "import sys; from pathlib import Path",
      "from mlflow_operator.request_metrics import METHODS, ROUTES, Listener, Numbers",
      "directory = Path(sys.argv[1]); numbers = Numbers(directory); route = ROUTES.index('runs')",
      "numbers.begin(route); numbers.begin(route); numbers.end(route, METHODS.index('POST'), 200, 0.02)",
      "Listener(directory, '3.17.2').run('127.0.0.1', int(sys.argv[2]))",
    ].join("\n");
    const served = ["-c", listen, join(directory, "numbers"), String(listener)];
    started(context, "python3", served, { PYTHONPATH: join(root, "python/src"), PYTHONDONTWRITEBYTECODE: "1" });
    const labels = { namespace: "team-a", server: "mlflow", container: "mlflow" };
    const scrape = { job_name: "servers", static_configs: [{ targets: [`127.0.0.1:${listener}`], labels }] };
    const global = { scrape_interval: "2s", scrape_timeout: "2s", evaluation_interval: "2s" };
    const config = { global, rule_files: ["groups.json"], scrape_configs: [scrape] };
    await writeFile(join(directory, "groups.json"), JSON.stringify({ groups }));
    await writeFile(join(directory, "prometheus.json"), JSON.stringify(config));
    const options = {
      "config.file": join(directory, "prometheus.json"),
      "storage.tsdb.path": join(directory, "data"),
      "web.listen-address": `127.0.0.1:${web}`,
    };
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    started(context, await prometheusProgram("prometheus"), args);
    const asked = async (path: string): Promise<unknown> => {
      const answer = await fetch(`http://127.0.0.1:${web}/api/v1/${path}`, { signal: AbortSignal.timeout(10_000) });
      return Object((await answer.json()) as unknown).data;
    };
    const samples = async (expression: string): Promise<unknown[]> =>
      Object(await asked(`query?query=${encodeURIComponent(expression)}`)).result.map(
        ({ metric, value }: { metric: Readonly<Record<string, string>>; value: [number, string] }) => {
          const { job: _, instance: __, __name__: ___, namespace, server, container, ...own } = metric;
          return [{ namespace, server, container }, own, value[1]];
        },
      );
    await eventually(async () => assert.deepEqual(await samples("up"), [[labels, {}, "1"]]));
    const one = [[labels, { route: "runs", method: "POST", status: "200" }, "1"]];
    await eventually(async () => assert.deepEqual(await samples("mlflow_server_http_requests_total"), one));
    const inProgress = 'mlflow_server_http_requests_in_progress{route="runs"}';
    await eventually(async () => assert.deepEqual(await samples(inProgress), [[labels, { route: "runs" }, "1"]]));
    const under = 'mlflow_server_http_request_duration_seconds_bucket{route="runs",le="0.025"}';
    await eventually(async () =>
      assert.deepEqual(await samples(under), [[labels, { route: "runs", le: "0.025" }, "1"]]),
    );
    await eventually(async () => {
      const { groups: loaded } = (await asked("rules")) as { groups: { rules: { name: string; health: string }[] }[] };
      const rules = loaded.flatMap((group) => group.rules.map(({ name, health }) => [name, health]));
      assert.deepEqual(
        rules,
        alerts.map(({ alert }) => [alert, "ok"]),
      );
    });
  });

  test("docs/monitoring.md has a section for each alert, which its runbook_url names", async () => {
    const page = await readFile(join(root, "docs/monitoring.md"), "utf8");
    const sections = [
      ...page.matchAll(/^### (Mlflow\w+)\n\n```promql\n(.+)\n```\n\n(?:For (\d+) (minute|hour)s?\. )?/gm),
    ];
    assert.deepEqual(
      sections.map(([, alert, expr, count, unit]) => [alert, expr, count && `${count}${unit?.[0]}`]),
      alerts.map(({ alert, expr, for: time }) => [alert, expr, time]),
    );
    for (const { alert, annotations } of alerts)
      assert.match(annotations["runbook_url"] ?? "", new RegExp(`/docs/monitoring\\.md#${alert.toLowerCase()}$`));
  });

  test("each metric that they use is one that a program exports", async () => {
    const program = [
      "from mlflow_operator.request_metrics import NUMBERS, text_of",
      'print(text_of([1.0] * NUMBERS, "3.17.2"))',
    ].join("\n");
    const env = { PATH: process.env["PATH"], PYTHONPATH: join(root, "python/src"), PYTHONDONTWRITEBYTECODE: "1" };
    const served = await succeeded("python3", ["-c", program], { env });
    const operator = await readFile(join(root, "src/runtime/metrics.ts"), "utf8");
    const exported = new Set([
      ...[...served.matchAll(/^(\w+)\{/gm)].map(([, name]) => name),
      ...[...operator.matchAll(/"([a-z]+_\w+)"/g)].map(([, name]) => name),
      ...proxyMetrics,
      "up",
    ]);
    assert.ok(exported.has("mlflow_server_http_request_duration_seconds_bucket"));
    const panels = JSON.parse(dashboard) as { panels: { targets: { expr: string }[] }[]; templating: unknown };
    const expressions = [
      ...alerts.map(({ expr }) => expr),
      ...panels.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ];
    // What remains of an expression without labels, ranges and functions.
    const names = expressions.flatMap(
      (expr) =>
        expr
          .replace(/\bby \([^)]*\)|"[^"]*"|\[[^\]]*\]/g, "")
          .replace(/\{[^}]*\}/g, "")
          .match(/\b[a-z_]\w+\b(?!\s*\()/g) ?? [],
    );
    assert.ok(names.length >= expressions.length);
    assert.deepEqual(
      names.filter((name) => !exported.has(name)),
      [],
    );
    for (const [, name = ""] of JSON.stringify(panels.templating).matchAll(/label_values\((\w+)/g))
      assert.ok(exported.has(name), name);
  });

  test("the panels have distinct ids, and queries for the namespace and server of the dashboard", () => {
    const { panels } = JSON.parse(dashboard) as { panels: { id: number; targets: { expr: string }[] }[] };
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const { targets } of panels)
      for (const { expr } of targets) assert.match(expr, /namespace=~"\$namespace", (?:server|name)=~"\$server"/);
  });
});

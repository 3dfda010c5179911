import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { load } from "js-yaml";
import { charts } from "../../../src/cli/convert/index.ts";
import { chartIds } from "../../../src/cli/convert-command.ts";
import { runCommand } from "../../support/command-line.ts";

const file = (name: string) => join(import.meta.dirname, "values", name);
const convert = (args: readonly string[], stdin = "") => runCommand(["convert", ...args], { stdin });

describe("convert", () => {
  test("offers the charts that have a table", () => {
    assert.deepEqual(
      chartIds,
      charts.map(({ id }) => id),
    );
  });

  test("prints the manifest on stdout and the report on stderr, and exits with 0 where all is mapped", async () => {
    const { code, stdout, stderr } = await convert([
      "--from",
      "community",
      "-f",
      file("community-plain.yaml"),
      "-n",
      "ml",
    ]);
    assert.equal(code, 0);
    const manifest = load(stdout) as { kind: string; metadata: object };
    assert.equal(manifest.kind, "MlflowServer");
    assert.deepEqual(manifest.metadata, { name: "mlflow", namespace: "ml" });
    assert.match(stderr, /^Mapped \(\d+\):/);
    assert.match(stderr, /Secret\/mlflow-database\n {4}username: backendStore.postgres.user\n/);
    assert.doesNotMatch(stdout + stderr, /secret-of-/);
  });

  test("exits with 2 where a value is not mapped, and with --partial with 0", async () => {
    const set = ["--set", "garbageCollection.backoffLimit=1"];
    const args = ["--from", "official", file("official-3-example-sqlite-gc.yaml"), ...set];
    const { code, stderr } = await convert(args);
    assert.equal(code, 2);
    assert.match(stderr, /Not mapped \(1\):\n {2}garbageCollection\.backoffLimit: .*rest of the CronJob/);
    assert.equal((await convert([...args, "--partial"])).code, 0);
  });

  test("merges files and --set as Helm does, below a prefix", async () => {
    const first = file("bitnami-3-umbrella-wrapper.yaml");
    const set = "mlflow.tracking.replicaCount=3,mlflow.tracking.service=null";
    const args = ["--from", "bitnami", "--prefix", "mlflow", "-f", first, "-f", "-", "--set", set, "-o", "json"];
    const { code, stdout } = await convert(
      [...args, "--release", "tracking"],
      "mlflow: { postgresql: { enabled: false }, externalDatabase: { host: db } }",
    );
    const { manifest, problems } = JSON.parse(stdout);
    assert.equal(code, 0, stdout);
    assert.deepEqual(problems, []);
    assert.equal(manifest.metadata.name, "tracking");
    assert.equal(manifest.spec.replicas, 3);
    assert.equal(manifest.spec.backendStore.postgresql.host, "db");
  });

  test("suggests --prefix where the values are those of a chart that has the chart as its dependency", async () => {
    const { code, stderr } = await convert(["--from", "bitnami", file("bitnami-3-umbrella-wrapper.yaml")]);
    assert.equal(code, 2);
    assert.match(stderr, /use --prefix mlflow\./);
  });

  test("reports input that cannot be read, without quoting it", async () => {
    const cases: readonly (readonly [args: readonly string[], stdin: string, says: RegExp, code: number])[] = [
      [["--from", "community", "-"], "a: [secret-of-file", /^standard input: not YAML at 1:\d+\n$/, 1],
      [["--from", "community", "-"], "host: {{ .Values.host }}: x", /it is a template of Helm, so render it first/, 1],
      [["--from", "community", "-"], "- a", /not a map of values/, 1],
      [["--from", "community", "/nowhere.yaml"], "", /^\/nowhere.yaml: no such file or directory/, 1],
      [["--from", "comunity", "-"], "", /comunity/, 2],
      [["--from", "community"], "", /name a file or a directory/, 2],
      [
        ["--from", "community", "-", "--set", "auth.adminPassword"],
        "",
        /--set auth.adminPassword: write it as key=value/,
        2,
      ],
      [["--from", "community", "-", "--prefix", "mlflow"], "", /--prefix mlflow: the values have no map there/, 2],
    ];
    for (const [args, stdin, says, code] of cases) {
      const result = await convert(args, stdin);
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, says);
      assert.doesNotMatch(result.stderr, /secret-of-/);
      assert.equal(result.stdout, "");
    }
  });
});

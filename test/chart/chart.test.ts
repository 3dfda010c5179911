import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { load } from "js-yaml";
import { validate, validateAccess, validateBackup, validateBackupSchedule } from "../../src/api/validation.ts";
import { supportedVersions } from "../../src/api/versions.ts";
import { settings, version } from "../../src/settings.ts";
import { chartFiles } from "./files.ts";
import { chart, helm, helmProgram } from "./helm.ts";
import { type Rendered, renderedObjects, valueSets, valuesFile } from "./rendering.ts";

const root = join(import.meta.dirname, "../..");

before(async () => void (await helmProgram()));

describe("the chart", () => {
  for (const set of valueSets) {
    test(`lints with values/${set}.yaml`, async () => {
      const { code, stdout, stderr } = await helm(["lint", "--strict", "--values", valuesFile(set), chart]);
      assert.equal(code, 0, stdout + stderr);
      assert.doesNotMatch(stdout, /\[(INFO|WARNING|ERROR)\]/);
    });
  }

  test("the generated files are up to date", async () => {
    for (const { path, content } of await chartFiles()) {
      const stored = readFileSync(join(root, path), "utf8");
      assert.ok(stored === content, `${path} differs from the chart: run npm run generate:chart`);
    }
    const goldens = readdirSync(join(root, "test/chart/golden")).map((file) => file.replace(/\.yaml$/, ""));
    assert.deepEqual(goldens.sort(), valueSets, "a golden has no values");
  });

  test("its versions equal that of the package", () => {
    const text = readFileSync(join(chart, "Chart.yaml"), "utf8");
    assert.match(text, new RegExp(`^version: ${version}$`, "m"));
    assert.match(text, new RegExp(`^appVersion: ${version}$`, "m"));
  });

  test("Artifact Hub gets the CRDs, valid examples of them, the images of the chart, and screenshots", async () => {
    const { annotations } = load(readFileSync(join(chart, "Chart.yaml"), "utf8")) as {
      annotations: Readonly<Record<string, string>>;
    };
    const listed = (name: string) =>
      load(annotations[`artifacthub.io/${name}`] ?? "") as Readonly<Record<string, string>>[];
    const rendered = (await renderedObjects("default")).filter(({ kind }) => kind === "CustomResourceDefinition");
    assert.deepEqual(
      listed("crds").map(({ name }) => name),
      rendered.map(({ metadata }) => metadata.name),
    );
    const [server, access, backup, schedule] = listed("crdsExamples");
    assert.ok("server" in validate(server));
    assert.ok("access" in validateAccess(access));
    assert.ok("backup" in validateBackup(backup));
    assert.ok("backupSchedule" in validateBackupSchedule(schedule));
    const screenshots = listed("screenshots").map(({ url = "" }) => url.split("/main/")[1] ?? "");
    assert.ok(screenshots.length > 0 && screenshots.every((path) => existsSync(join(root, path))), screenshots.join());
    const [container] = podOf(await renderedObjects("default")).containers;
    const text = [container.image, ...container.args].join(" ");
    assert.deepEqual(
      listed("images").map(({ image }) => image),
      [
        container.image,
        `${/--image-repository=(\S+)/.exec(text)?.[1]}:${supportedVersions[0]}`,
        /--proxy-image=(\S+)/.exec(text)?.[1],
      ],
    );
  });

  test("each value has a comment and is in the schema", () => {
    const values: unknown = load(readFileSync(join(chart, "values.yaml"), "utf8"));
    const schema = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8"));
    assert.ok(typeof values === "object" && values !== null);
    assert.deepEqual(
      Object.keys(values).sort(),
      Object.keys(schema.properties)
        .filter((name) => name !== "global")
        .sort(),
    );
  });

  test("it accepts digests for the supported versions of MLflow", () => {
    const schema = JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8"));
    const { enum: versions } = schema.properties.mlflowImage.properties.digests.propertyNames;
    assert.deepEqual(versions.sort(), [...supportedVersions].sort());
  });

  test("the notes contain a server that the API accepts", async () => {
    // `helm template` prints no notes, a client-side dry run does.
    const { stdout, stderr } = await helm([
      "install",
      "x",
      chart,
      "--dry-run=client",
      "--values",
      valuesFile("default"),
    ]);
    const manifest = /<<'EOF'\n([\s\S]*?)\n\s*EOF/.exec(stdout)?.[1];
    assert.ok(manifest, stderr);
    assert.ok("server" in validate(load(manifest)), manifest);
  });
});

describe("the rendered manifests", () => {
  for (const set of valueSets) {
    test(`the operator accepts the arguments of ${set}`, async () => {
      const [container] = podOf(await renderedObjects(set)).containers;
      const [command, ...args] = container.args;
      const chosen = settings(args, { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" });
      assert.equal(command, "run");
      assert.deepEqual(chosen.namespaces, set === "namespaced" ? ["team-a", "team-b"] : undefined);
    });

    test(`no object of ${set} has the label of the operator's own objects`, async () => {
      for (const { kind, metadata } of await renderedObjects(set))
        assert.notEqual(
          metadata.labels?.["app.kubernetes.io/managed-by"],
          "mlflow-operator",
          `${kind}/${metadata.name}`,
        );
    });
  }

  test("with watchNamespaces no object is cluster-scoped or in another namespace", async () => {
    const objects = await renderedObjects("namespaced");
    const namespaces = new Set(objects.map(({ metadata }) => metadata.namespace));
    assert.deepEqual([...namespaces].sort(), ["mlflow-operator", "team-a", "team-b"]);
  });

  test("imageRegistry replaces the registry of both images", async () => {
    const [container] = podOf(await renderedObjects("mirror")).containers;
    assert.match(
      container.image,
      /^registry\.example\.com:5000\/mirror\/mlflow-operator\/mlflow-operator@sha256:0{64}$/,
    );
    assert.ok(
      container.args.includes("--image-repository=registry.example.com:5000/mirror/mlflow-operator/mlflow-server"),
    );
  });

  test("the global values of another chart name the registry and the pull secrets", async () => {
    const { stdout } = await helm(["template", "x", chart, "--values", valuesFile("everything")]);
    assert.match(stdout, /imagePullSecrets:\n {8}- name: quay\n {8}- name: mirror\n {8}- name: other\n/);
    assert.match(stdout, /name: '?x-extra'?\n/);
    assert.match(stdout, /name: ml-more\n/);
    assert.match(stdout, /kind: CustomResourceDefinition/);
    assert.doesNotMatch(stdout, /kind: CustomResourceDefinition(?:(?!^---)[\s\S])*?resource-policy: keep/m);
  });

  test("a PodMonitor and a ServiceMonitor are not rendered together", async () => {
    const sets = ["--set", "metrics.podMonitor.enabled=true,metrics.serviceMonitor.enabled=true"];
    const { code, stderr } = await helm(["template", "x", chart, ...sets]);
    assert.notEqual(code, 0);
    assert.match(stderr, /collect the same metrics twice: enable one of them/);
  });

  test("the PodMonitor of servers limits what a pod of a user with the same labels can add to Prometheus", async () => {
    const monitors = (await renderedObjects("everything")).filter(({ kind }) => kind === "PodMonitor");
    const monitor = monitors.find(({ metadata }) => metadata.name.endsWith("-servers"));
    const { sampleLimit, labelLimit, labelNameLengthLimit, labelValueLengthLimit, podMetricsEndpoints } = Object(
      monitor?.["spec"],
    );
    assert.deepEqual([sampleLimit, labelLimit, labelNameLengthLimit, labelValueLengthLimit], [5000, 40, 128, 512]);
    // A redirect would have Prometheus send requests to any host.
    for (const each of podMetricsEndpoints) assert.equal(each.followRedirects, false);
  });

  test("the CRD is kept when the chart is uninstalled", async () => {
    const [definition] = (await renderedObjects("default")).filter(({ kind }) => kind === "CustomResourceDefinition");
    assert.equal(definition?.metadata.annotations?.["helm.sh/resource-policy"], "keep");
  });

  test("names include the name of the release, and are never too long for a label", async () => {
    const { stdout } = await helm(["template", "a".repeat(53), chart]);
    const names = [...stdout.matchAll(/^kind: (\S+)\nmetadata:\n {2}name: (a+\S*)$/gm)];
    assert.ok(names.length > 8);
    for (const [, kind, name = ""] of names)
      assert.ok(name.length <= 63 || /^(Role|ValidatingAdmissionPolicy)/.test(kind ?? ""), `${kind}/${name}`);
  });
});

interface Pod {
  readonly containers: readonly [{ readonly image: string; readonly args: readonly string[] }];
}

function podOf(objects: readonly Rendered[]): Pod {
  const deployment = objects.find(({ kind }) => kind === "Deployment");
  assert.ok(deployment, "there is no Deployment");
  const { spec }: { spec: { template: { spec: Pod } } } = JSON.parse(JSON.stringify(deployment));
  return spec.template.spec;
}

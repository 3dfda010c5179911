import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { load, loadAll } from "js-yaml";
import { eventReasons } from "../../src/api/event-reasons.ts";
import { resourceSchema } from "../../src/api/resource-schema.ts";
import type { StructuralSchema } from "../../src/api/structural-schema.ts";
import { isObject } from "../../src/api/structure.ts";
import { validate, validateAccess, validateBackup, validateBackupSchedule } from "../../src/api/validation.ts";
import { workspaceAccessSchema } from "../../src/api/workspace-access.ts";
import { kinds } from "../../src/kube/kinds.ts";
import { reasonsOf, serverConditions } from "../../src/reconcile/conditions/index.ts";
import { smallest } from "./documents.ts";

const root = join(import.meta.dirname, "../..");
const pages = globSync(["*.md", "docs/**/*.md"], { cwd: root }).sort();
const textOf = (page: string) => readFileSync(join(root, page), "utf8");
const schema = resourceSchema();
const reasons = reasonsOf(serverConditions);
const chartValues = load(textOf("charts/mlflow-operator/values.yaml"));

/** First keys of YAML without a kind that is not part of a spec: parts of Ingresses, HTTPRoutes and containers, settings of Argo CD and Dex, values of the chart. */
const otherKeys = [
  "env",
  "envFrom",
  "filters",
  "nginx.ingress.kubernetes.io/proxy-body-size",
  "resource.customizations.health.mlflow-operator.dev_MlflowServer",
  "staticClients",
  "watchNamespaces",
];

/** Reasons of the Gateway API and of Istio, and codes of S3 servers. */
const otherReasons = [
  "ResolvedRefs",
  "UnsupportedValue",
  "ObjectParentIsFile",
  "ExistingObjectIsDirectory",
  "KeyTooLongError",
  "ScalingActive",
  "AmbiguousSelector",
];

/** A complete server with a part of a spec. */
function completed(part: Record<string, unknown>): unknown {
  const { spec } = smallest;
  const { authentication } = part;
  const proxy = isObject(authentication) ? authentication["oauth2Proxy"] : undefined;
  const own = {
    ...(isObject(spec) && spec),
    ...part,
    ...(isObject(proxy) && { authentication: { oauth2Proxy: { ...smallestProxy, ...proxy } } }),
  };
  return { ...smallest, spec: own };
}

const smallestProxy = {
  issuerURL: "https://dex.example.com/dex",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
};

function problemsOf(document: unknown): readonly string[] {
  assert.ok(isObject(document));
  const { apiVersion, kind, spec } = document;
  if (typeof apiVersion === "string" && !apiVersion.startsWith("mlflow-operator.dev/")) return [];
  if (kind === "MlflowWorkspaceAccess") {
    const access = validateAccess(document);
    return "problems" in access ? access.problems : [];
  }
  if (kind === "MlflowBackup") {
    const backup = validateBackup(document);
    return "problems" in backup ? backup.problems : [];
  }
  if (kind === "MlflowBackupSchedule") {
    const schedule = validateBackupSchedule(document);
    return "problems" in schedule ? schedule.problems : [];
  }
  const [first = ""] = Object.keys(document);
  if (otherKeys.includes(first)) return [];
  const result = validate(kind === undefined ? completed(isObject(spec) ? spec : document) : document);
  return "problems" in result ? result.problems : [];
}

/** The anchors that GitHub generates for headings. */
function anchorsOf(text: string): string[] {
  const headings = text.replaceAll(/^```.*?^```/gms, "").matchAll(/^#+ (.*)$/gm);
  return [...headings].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function hasField(path: string): boolean {
  let at: StructuralSchema | undefined = schema;
  for (const step of path.split(".")) {
    const name = step.replace(/\[.*\]$/, "");
    const next: StructuralSchema | undefined = at?.properties?.[name] ?? at?.additionalProperties;
    at = next?.items ?? next;
  }
  return at !== undefined;
}

function isChartValue(path: string): boolean {
  return (
    path.split(".").reduce((at: unknown, step) => (isObject(at) ? at[step] : undefined), chartValues) !== undefined
  );
}

/** The enum values of all fields of a schema. */
function wordsOf({ enum: own = [], items, additionalProperties, properties = {} }: StructuralSchema): string[] {
  const below = [items, additionalProperties, ...Object.values(properties)];
  return [...own, ...below.flatMap((each) => (each === undefined ? [] : wordsOf(each)))];
}

describe("the pages", () => {
  for (const page of pages.filter((each) => !each.startsWith("docs/decisions/"))) {
    const blocks = [...textOf(page).matchAll(/^( *)```yaml\n(.*?)^ *```/gms)];
    if (blocks.length === 0) continue;
    test(`${page} has valid YAML`, () => {
      for (const [, , text = ""] of blocks)
        for (const document of loadAll(text)) assert.deepEqual(problemsOf(document), [], text);
    });
  }

  test("link to existing files and headings", () => {
    for (const page of pages) {
      for (const [, target = ""] of textOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? page : relative(root, join(root, dirname(page), path));
        assert.ok(existsSync(join(root, file)), `${page}: ${target}`);
        if (anchor !== undefined) assert.ok(anchorsOf(textOf(file)).includes(anchor), `${page}: ${target}`);
      }
    }
  });

  test("decision records have unique numbers, the same as their files", () => {
    const numbers = pages
      .filter((page) => page.startsWith("docs/decisions/"))
      .map((page) => ({
        page,
        file: Number(basename(page).slice(0, 4)),
        heading: /^# (\d+)\. /.exec(textOf(page))?.[1],
      }));
    for (const { page, file, heading } of numbers) assert.equal(Number(heading), file, page);
    assert.equal(new Set(numbers.map(({ file }) => file)).size, numbers.length);
  });

  test("name existing files of the project", () => {
    const files = /`((?:bench|charts|config|crds|demo|docs|examples|images|scripts|src|test)\/[\w./-]+)`/g;
    for (const page of pages) {
      for (const [, path = ""] of textOf(page).matchAll(files))
        assert.ok(existsSync(join(root, path)) || existsSync(join(root, `${path}.ts`)), `${page}: ${path}`);
    }
  });

  test("name existing fields", () => {
    const groups = Object.keys(schema.properties?.["spec"]?.properties ?? {}).join("|");
    const named = new RegExp(`\`(?:spec\\.)?((?:${groups})(?:\\.[a-zA-Z]+(?:\\[\\])?)+)\`?[:\` ]`, "g");
    // These pages have names of other charts, and their own tests.
    for (const page of pages.filter((each) => !["docs/migrating-from-helm.md", "docs/helm-values.md"].includes(each))) {
      // An attribute of OpenTelemetry.
      for (const [, path = ""] of textOf(page).replaceAll("`service.name`", "").matchAll(named))
        assert.ok(hasField(`spec.${path}`) || hasField(`status.${path}`) || isChartValue(path), `${page}: ${path}`);
    }
  });

  test("name all metrics of the operator, and no others", () => {
    const metric = /\b(mlflow_operator|controller_runtime|leader_election|rest_client|workqueue|process)_[a-z_]+/g;
    const named = pages.flatMap((page) => textOf(page).match(metric) ?? []);
    const written = textOf("src/runtime/metrics.ts").match(metric) ?? [];
    assert.deepEqual(new Set(named), new Set(written));
  });

  test("troubleshooting has a row for each reason", () => {
    const rows = textOf("docs/troubleshooting.md");
    assert.deepEqual(
      Object.keys(reasons).filter((reason) => !rows.includes(`\`${reason}\``)),
      [],
    );
  });

  test("name existing reasons, conditions, kinds and enum values", () => {
    const known = new Set([
      ...Object.keys(reasons),
      ...Object.keys(eventReasons),
      ...Object.values(eventReasons).map(({ action }) => action),
      ...serverConditions.map(({ type }) => type),
      ...Object.keys(kinds),
      ...[schema, workspaceAccessSchema()].flatMap(wordsOf),
      ...otherReasons,
    ]);
    for (const page of pages) {
      for (const [, word = ""] of textOf(page).matchAll(/`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`/g))
        assert.ok(known.has(word), `${page}: ${word}`);
    }
  });
});

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { load } from "js-yaml";
import { admissionPolicies, writeBundle } from "../../scripts/release/bundle.ts";
import { releaseOf, root } from "../../scripts/release/release.ts";
import { validate, validateAccess, validateBackup, validateBackupSchedule } from "../../src/api/validation.ts";
import { supportedVersions } from "../../src/api/versions.ts";
import { version } from "../../src/settings.ts";
import { reportOnStderr } from "../control-plane/binaries.ts";
import { completed } from "../control-plane/completed.ts";
import { releasePrograms } from "./release-programs.ts";
import { objectsOf, renderedObjects } from "./rendering.ts";

const output = mkdtempSync(join(tmpdir(), "bundle-"));
after(() => rmSync(output, { recursive: true }));

const digest = `sha256:${"3".repeat(64)}`;
const release = releaseOf({ repository: "Acme/ml-op", output }, { [`mlflow-operator:${version}`]: digest });
let operatorVerify = "";
let manifests = "";
before(async () => {
  operatorVerify = (await releasePrograms(reportOnStderr))["operator-verify"] ?? "";
  manifests = join(await writeBundle(release, new Date("2026-12-01T00:00:00Z")), "manifests");
});

interface ServiceVersion {
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly install: {
      readonly spec: {
        readonly deployments: readonly { readonly name: string; readonly spec: unknown }[];
        readonly permissions: readonly { readonly serviceAccountName: string; readonly rules: unknown }[];
        readonly clusterPermissions: readonly { readonly serviceAccountName: string; readonly rules: unknown }[];
      };
    };
    readonly relatedImages: readonly { readonly name: string; readonly image: string }[];
    readonly [more: string]: unknown;
  };
}

const path = () => join(manifests, "mlflow-operator.clusterserviceversion.yaml");
const serviceVersion = () => load(readFileSync(path(), "utf8")) as ServiceVersion;

/** What operator-verify reports about the bundle. It exits with 0 even if it reports errors. */
async function problems(): Promise<readonly string[]> {
  const args = ["manifests", manifests, "--operatorhub_validate", "--object_validate"];
  const { code, stdout, stderr } = await completed(operatorVerify, args);
  assert.equal(code, 0, stderr);
  const lines = `${stdout}\n${stderr}`
    .split("\n")
    .filter((line) => /level=(warning|error)|^(Error|Warning)/i.test(line));
  // That the operator has permissions on events, CronJobs, HorizontalPodAutoscalers and PodDisruptionBudgets; it uses their current versions. And that the validator is deprecated.
  // It lists them in any order.
  const known =
    /removed in v1\.25\. .*Migrate the API\(s\) for ((cronjobs|events|horizontalpodautoscalers|poddisruptionbudgets): \(\[[^)]*\]\),){4}"|"operatorhub\\" validator is deprecated/;
  return lines.filter((line) => !known.test(line));
}

describe("the bundle for the Operator Lifecycle Manager", () => {
  test("passes operator-verify", async () => {
    assert.deepEqual(await problems(), []);
  });

  test("operator-verify reports a wrong bundle", async () => {
    const text = readFileSync(path(), "utf8");
    writeFileSync(path(), text.replace("capabilities: Deep Insights", "capabilities: Deep"));
    assert.match((await problems()).join("\n"), /level=error.*capabilities/i);
    writeFileSync(path(), text);
  });

  test("has the permissions and the Deployment of the chart, with the images of the release", async () => {
    const { install, relatedImages } = serviceVersion().spec;
    const objects = await renderedObjects("default");
    const rulesOf = (kind: string, name: string) =>
      objects.find((object) => object.kind === kind && object.metadata.name === name)?.["rules"];
    assert.deepEqual(install.spec.clusterPermissions, [
      { serviceAccountName: "mlflow-operator", rules: rulesOf("ClusterRole", "mlflow-operator") },
    ]);
    assert.deepEqual(install.spec.permissions, [
      { serviceAccountName: "mlflow-operator", rules: rulesOf("Role", "mlflow-operator-leader-election") },
    ]);
    const deployment = JSON.stringify(install.spec.deployments);
    assert.ok(deployment.includes(`"image":"ghcr.io/acme/mlflow-operator@${digest}"`));
    assert.doesNotMatch(deployment, /helm/i);
    assert.equal(relatedImages.length, supportedVersions.length + 2);
    for (const [, image = ""] of deployment.matchAll(/(?:"image":"|--proxy-image=)([^"]+)/g))
      assert.ok(
        relatedImages.some((related) => related.image === image),
        image,
      );
  });

  test("has a valid example of each kind, and contains the roles that users and servers are bound to", () => {
    const { metadata } = serviceVersion();
    const [server, access, backup, schedule, ...others]: unknown[] = JSON.parse(
      metadata.annotations["alm-examples"] ?? "",
    );
    assert.ok("server" in validate(server));
    assert.ok("access" in validateAccess(access));
    assert.ok("backup" in validateBackup(backup));
    assert.ok("backupSchedule" in validateBackupSchedule(schedule));
    assert.deepEqual(others, []);
    const files = readdirSync(manifests);
    for (const name of ["mlflow-server", "mlflow-workspace-admin", "mlflow-operator-view"])
      assert.ok(files.includes(`${name}.clusterrole.yaml`), name);
    assert.ok(
      !files.includes("mlflow-operator.clusterrole.yaml"),
      "OLM creates this role from the ClusterServiceVersion",
    );
  });

  test("the admission policies, which OLM does not install, are a separate manifest", async () => {
    const policies = objectsOf(await admissionPolicies(release));
    const expected = (await renderedObjects("default")).filter(({ kind }) =>
      kind.startsWith("ValidatingAdmissionPolicy"),
    );
    assert.deepEqual(
      policies.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
      expected.map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    );
    const installation = readFileSync(join(root, "docs/installation.md"), "utf8");
    assert.match(installation, /^## Operator Lifecycle Manager$/m);
    assert.ok(installation.includes("admission-policies.yaml"));
  });
});

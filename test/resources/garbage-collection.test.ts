import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inflateSync } from "node:zlib";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import type { CronJob } from "../../src/kube/manifests.ts";
import { label } from "../../src/kube/names.ts";
import { renderingIn } from "../../src/resources/rendering.ts";
import { all, deploymentOf, environmentOf, inputs, jobOf, postgresql, secret, server } from "../support/fixtures.ts";

const shared: Partial<MlflowServerSpec> = {
  backendStore: { postgresql },
  artifactStore: { s3: { bucket: "models" } },
};
const garbageCollection = { schedule: "0 3 * * *" };
const database = [secret("db", { username: "mlflow", password: "secret-1" })];

const inputsOf = (spec: Partial<MlflowServerSpec>) => inputs(server({ ...shared, ...spec }), database);
const found = (spec: Partial<MlflowServerSpec>) =>
  all(inputsOf(spec)).find((manifest): manifest is CronJob => manifest.kind === "CronJob");

function cronJobOf(spec: Partial<MlflowServerSpec>): CronJob {
  const cronJob = found({ garbageCollection, ...spec });
  assert.ok(cronJob);
  return cronJob;
}

function variablesOf(cronJob: CronJob): Record<string, string> {
  const { spec } = cronJob.spec.jobTemplate;
  assert.ok(spec);
  return environmentOf({ spec });
}

const podOf = (cronJob: CronJob) => cronJob.spec.jobTemplate.spec?.template ?? {};

describe("garbage collection", () => {
  test("is a CronJob only with the field, and not for a volume that only one pod can mount", () => {
    assert.equal(found({}), undefined);
    assert.ok(found({ garbageCollection }));
    const persistentVolume = { accessModes: ["ReadWriteOncePod" as const] };
    assert.equal(found({ garbageCollection, artifactStore: { persistentVolume } }), undefined);
  });

  test("runs one pod at a time, which is not restarted and ends", () => {
    const { spec } = cronJobOf({});
    assert.deepEqual([spec.schedule, spec.timeZone, spec.concurrencyPolicy], ["0 3 * * *", "Etc/UTC", "Forbid"]);
    assert.equal(spec.startingDeadlineSeconds, 3600);
    const job = spec.jobTemplate.spec;
    assert.equal(job?.backoffLimit, 0);
    assert.equal(job?.template.spec?.restartPolicy, "Never");
    const seconds = Number(variablesOf(cronJobOf({}))["GARBAGE_MAX_SECONDS"]);
    assert.ok((job?.activeDeadlineSeconds ?? 0) > seconds && seconds > 0);
  });

  test("deletes after 30 days by default, and only counts with dryRun", () => {
    const variables = (settings: object) => {
      const cronJob = cronJobOf({ garbageCollection: { ...garbageCollection, ...settings } });
      const { GARBAGE_AGE_SECONDS: age, GARBAGE_DRY_RUN: dryRun } = variablesOf(cronJob);
      return [age, dryRun];
    };
    assert.deepEqual(variables({}), [String(30 * 24 * 3600), "false"]);
    assert.deepEqual(variables({ olderThan: "90m", dryRun: true }), ["5400", "true"]);
  });

  test("is suspended by the field and while the server hibernates", () => {
    const suspended = (spec: Partial<MlflowServerSpec>) => cronJobOf(spec).spec.suspend;
    assert.equal(suspended({}), false);
    assert.equal(suspended({ garbageCollection: { ...garbageCollection, suspend: true } }), true);
    assert.equal(suspended({ hibernate: true }), true);
    assert.equal(suspended({ replicas: 0 }), true);
  });

  test("has database and store as MLflow has them, and no credential in text", () => {
    const cronJob = cronJobOf({});
    const [container, ...others] = podOf(cronJob).spec?.containers ?? [];
    assert.deepEqual(others, []);
    const { MLFLOW_OPERATOR_PROGRAM: packed = "", ...variables } = variablesOf(cronJob);
    const ofServer = environmentOf(deploymentOf(inputsOf({})));
    for (const name of ["MLFLOW_BACKEND_STORE_URI", "MLFLOW_ARTIFACTS_DESTINATION", "MLFLOW_SERVE_ARTIFACTS"])
      assert.equal(variables[name], ofServer[name], name);
    assert.equal(variables["MLFLOW_BACKEND_STORE_URI"], "demo-store/backend-store-uri");
    assert.doesNotMatch(JSON.stringify(cronJob), /secret-1/);
    assert.equal(variables["MLFLOW_FLASK_SERVER_SECRET_KEY"], undefined);
    assert.deepEqual(container?.args, undefined);
    const [text, modules] = JSON.parse(inflateSync(Buffer.from(packed, "base64")).toString("utf8"));
    assert.match(text, /deletes only folders that have the ID/);
    assert.deepEqual(Object.keys(modules), ["mlflow_outcome", "mlflow_late_imports", "check_artifacts", "migrate"]);
  });

  test("has the identity and labels of the server's pods, and is selected by the NetworkPolicy, not by the Service", () => {
    const spec = { pod: { labels: { team: "research" }, annotations: { "linkerd.io/inject": "disabled" } } };
    const { metadata, spec: pod } = podOf(cronJobOf(spec));
    assert.equal(metadata?.labels?.[label.component], "garbage-collection");
    assert.equal(metadata?.labels?.["team"], "research");
    assert.deepEqual(metadata?.annotations, spec.pod.annotations);
    const migration = jobOf(inputsOf(spec)).spec.template.spec;
    assert.equal(pod?.serviceAccountName, migration?.serviceAccountName);
    assert.equal(pod?.automountServiceAccountToken, false);
    const manifests = all(inputsOf({ garbageCollection, ...spec }));
    const matches = (selector: Record<string, string> = {}) =>
      Object.entries(selector).every(([key, value]) => metadata?.labels?.[key] === value);
    const service = manifests.find(({ kind }) => kind === "Service");
    assert.ok(service?.kind === "Service" && !matches(service.spec.selector));
    const policy = manifests.find(({ kind }) => kind === "NetworkPolicy");
    assert.ok(policy?.kind === "NetworkPolicy" && matches(policy.spec.podSelector?.matchLabels));
  });

  test("runs on the node of the server where only one node can mount the volume", () => {
    const affinityOf = (spec: Partial<MlflowServerSpec>) => podOf(cronJobOf(spec)).spec?.affinity?.podAffinity;
    assert.equal(affinityOf({}), undefined);
    const shared = { persistentVolume: { accessModes: ["ReadWriteMany" as const] } };
    assert.equal(affinityOf({ artifactStore: shared }), undefined);
    for (const spec of [
      { artifactStore: { persistentVolume: {} } },
      { backendStore: { sqlite: {} } },
    ] satisfies Partial<MlflowServerSpec>[]) {
      const [term] = affinityOf(spec)?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
      assert.equal(term?.labelSelector?.matchLabels?.[label.component], "server");
      assert.equal(
        podOf(cronJobOf(spec)).spec?.volumes?.some(({ name }) => name === "data"),
        true,
      );
    }
  });

  test("does not replace pods of the server", () => {
    const renderings = [{}, { garbageCollection }, { garbageCollection: { schedule: "@daily", suspend: true } }].map(
      (spec) => renderingIn(deploymentOf(inputsOf(spec))),
    );
    assert.ok(renderings[0]);
    for (const other of renderings) assert.deepEqual(other, renderings[0]);
    const templates = [{}, { garbageCollection }].map((spec) => deploymentOf(inputsOf(spec)).spec.template);
    assert.deepEqual(templates[1], templates[0]);
  });
});

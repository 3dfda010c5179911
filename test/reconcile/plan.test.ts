import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Manifest, Owned } from "../../src/kube/manifests.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import type { Step } from "../../src/reconcile/step.ts";
import { all, completedJob, inputs, jobOf, pod, recordOf, server } from "../support/fixtures.ts";

const of = server({}, { status: { migration: recordOf(jobOf(inputs())) } });
const wanted = inputs(of);
const live = (manifest: Manifest): Owned => (manifest.kind === "Job" ? completedJob(manifest) : manifest);
const everything = all(wanted).map(live);
const plan = (owned: readonly Owned[], unmanaged: readonly Owned[] = [], about: MlflowServer = of) => {
  const { installation, references } = wanted;
  return planOf({
    server: about,
    owned,
    unmanaged,
    granted: [],
    references,
    model: resolve(wanted),
    installation,
    isMutatedByAdmission: () => false,
    now: new Date(0),
  });
};
const stepText = (step: Step) =>
  "live" in step ? `${step.do} ${step.live.kind}` : "manifest" in step ? `${step.do} ${step.manifest.kind}` : step.do;
const steps = (...args: Parameters<typeof plan>) =>
  plan(...args)
    .groups.flat()
    .map(stepText);
const named = (kind: string) => {
  const found = everything.find((object) => object.kind === kind);
  if (found === undefined) throw new Error(kind);
  return found;
};

describe("the plan", () => {
  test("is empty if all objects match the spec", () => {
    assert.deepEqual(steps(everything), []);
  });

  test("creates generated Secrets before the objects that use them, and pods last", () => {
    const { groups } = plan([], [], server());
    const kinds = groups.map((group) => group.map((step) => ("manifest" in step ? step.manifest.metadata.name : "")));
    assert.deepEqual(kinds[0], ["demo-session", "demo-admin"]);
    assert.ok(!kinds.flat().includes("demo-auth-config"), "what pods read waits for the migration");
  });

  test("creates the Job of a SQLite database once its volume's claim exists, whose identity is part of the Job's", () => {
    const jobs = (owned: readonly Owned[]) => steps(owned, [], server()).filter((step) => step === "create Job");
    assert.deepEqual(jobs([]), []);
    assert.equal(plan([], [], server()).migration.isInterim, true);
    assert.deepEqual(jobs([named("PersistentVolumeClaim")]), ["create Job"]);
  });

  test("stops the server's pods before a migration whose volume only one pod can mount", () => {
    const claim = { ...named("PersistentVolumeClaim"), spec: { accessModes: ["ReadWriteOncePod"] } } as Owned;
    const rest = everything.filter(({ kind }) => kind !== "Job" && kind !== "PersistentVolumeClaim");
    const unproven = server();
    const running = pod("server", { phase: "Running" });
    const stopping = plan([...rest, claim, running], [], unproven);
    const [step] = stopping.groups.flat().filter((each) => each.do === "apply" && each.live.kind === "Deployment");
    const replicas = step?.do === "apply" && step.manifest.kind === "Deployment" && step.manifest.spec.replicas;
    assert.equal(replicas, 0);
    assert.equal(stopping.migration.create, undefined);
    assert.match(stopping.migration.cause.message, /ReadWriteOncePod/);
    assert.ok(plan([...rest, claim], [], unproven).migration.create !== undefined, "the pods are gone");
    assert.ok(plan([...rest, named("PersistentVolumeClaim"), running], [], unproven).migration.create !== undefined);
    assert.ok(
      !steps([...everything.filter(({ kind }) => kind !== "PersistentVolumeClaim"), claim]).includes(
        "apply Deployment",
      ),
    );
  });

  test("withdraws the record of the previous migration before anything else is written", () => {
    const newer = server({}, { status: { migration: { ...recordOf(jobOf(inputs())), job: "former" } } });
    assert.equal(
      steps(
        everything.filter(({ kind }) => kind !== "Job"),
        [],
        newer,
      )[0],
      "record",
    );
    assert.equal(plan([], [], of).migration.complete, true);
  });

  test("writes nothing but the record while the version is older than the schema", () => {
    const older = inputs(server({ version: "3.16.1" }));
    const found = planOf({
      server: { ...of, spec: older.server.spec },
      owned: everything,
      unmanaged: [],
      granted: [],
      references: older.references,
      model: resolve(older),
      installation: older.installation,
      isMutatedByAdmission: () => false,
      now: new Date(0),
    });
    assert.deepEqual([found.groups, found.migration.cause.reason], [[], "DowngradeRejected"]);
  });

  test("repairs one object with one step", () => {
    const changed = { ...named("Service"), spec: { ports: [] } } as Owned;
    assert.deepEqual(steps(everything.map((object) => (object.kind === "Service" ? changed : object))), [
      "apply Service",
    ]);
  });

  test("repairs the labels and parallelism of a Job without changing its pods", () => {
    const job = named("Job");
    const suspect = {
      ...job,
      spec: { parallelism: 5, template: { spec: { containers: [] } } },
      metadata: { ...job.metadata, labels: {} },
    } as Owned;
    const [step] = plan(everything.map((object) => (object.kind === "Job" ? suspect : object))).groups.flat();
    assert.equal(step?.do, "apply");
    const spec = step?.do === "apply" && step.manifest.kind === "Job" ? step.manifest.spec : undefined;
    assert.equal(spec?.parallelism, 1);
    assert.deepEqual(spec?.template, { spec: { containers: [] } });
  });

  test("applies nothing while an unmanaged object has a name that it needs", () => {
    const other = { ...named("Service"), metadata: { ...named("Service").metadata, ownerReferences: [] } } as Owned;
    const found = plan(
      everything.filter(({ kind }) => kind !== "Service"),
      [other],
    );
    assert.deepEqual(found.groups, []);
    assert.equal(found.namingConflict?.reason, "NameConflict");
  });

  test("waits for a terminating object, and continues with the others", () => {
    const leaving = {
      ...named("Service"),
      metadata: { ...named("Service").metadata, deletionTimestamp: "2026-01-01T00:00:00Z" },
    } as Owned;
    const rest = everything.filter(({ kind }) => kind !== "Service" && kind !== "Deployment");
    const found = plan([...rest, leaving]);
    assert.deepEqual(
      found.groups.flat().map((step) => step.do),
      ["create"],
    );
    assert.match(found.waiting?.message ?? "", /Service\/demo/);
  });

  test("deletes owned objects that are no longer wanted, but never generated Secrets or volumes", () => {
    const { apiVersion, metadata } = named("Service");
    const extra = { apiVersion, kind: "ConfigMap", metadata: { ...metadata, name: "demo-former" } } as Owned;
    assert.deepEqual(steps([...everything, extra]), ["delete ConfigMap"]);
    const open = server({ authentication: { none: {} } });
    const withoutUsers = inputs(open);
    const { installation, references } = withoutUsers;
    const found = planOf({
      server: open,
      owned: everything,
      unmanaged: [],
      granted: [],
      references,
      model: resolve(withoutUsers),
      installation,
      isMutatedByAdmission: () => false,
      now: new Date(0),
    });
    const deleted = found.groups.flat().flatMap((step) => (step.do === "delete" ? [step.live.metadata.name] : []));
    assert.ok(!deleted.includes("demo-admin"));
  });

  test("does not repeat an apply that admission has changed", () => {
    const changed = { ...named("Service"), spec: { ports: [] } } as Owned;
    const { installation, references } = wanted;
    const owned = everything.map((object) => (object.kind === "Service" ? changed : object));
    const found = planOf({
      server: of,
      owned,
      unmanaged: [],
      granted: [],
      references,
      model: resolve(wanted),
      installation,
      isMutatedByAdmission: () => true,
      now: new Date(0),
    });
    assert.deepEqual(found.groups, []);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Deployment, Manifest, Owned } from "../../src/kube/manifests.ts";
import { annotation, label } from "../../src/kube/names.ts";
import type { Inputs, References } from "../../src/model/inputs.ts";
import { planOf } from "../../src/reconcile/plan.ts";
import type { Step } from "../../src/reconcile/step.ts";
import type { UpgradeMember } from "../../src/reconcile/upgrade.ts";
import { markerIn, markerText } from "../../src/reconcile/upgrade-marker.ts";
import { all, completedJob, inputs, jobOf, postgresql, recordOf, secret, server } from "../support/fixtures.ts";

const spec: Partial<MlflowServerSpec> = { backendStore: { postgresql }, artifactStore: { s3: { bucket: "models" } } };
const password = (text: string) => secret("db", { username: "mlflow", password: text });
const now = new Date("2026-06-01T12:00:00Z");
const upgrade = { revision: "new", concurrency: 2 };

/** The objects that the previous operator has applied. */
const former = inputs(server(spec), [password("first")]);
const live = (manifest: Manifest): Owned => (manifest.kind === "Job" ? completedJob(manifest) : manifest);
const everything = all(former).map(live);
const status: MlflowServer["status"] = {
  migration: recordOf(jobOf(former)),
  observedGeneration: 1,
  conditions: [
    {
      ...{ type: "Ready", status: "True", reason: "Ready", message: "1 replica" },
      ...{ observedGeneration: 1, lastTransitionTime: "2026-01-01T00:00:00Z" },
    },
    {
      ...{ type: "DatabaseReady", status: "True", reason: "MigrationComplete", message: "The schema fits." },
      ...{ observedGeneration: 1, lastTransitionTime: "2026-01-01T00:00:00Z" },
    },
  ],
};

/** Another server that is being changed, and keeps this one waiting. */
const active: UpgradeMember = {
  ...{ namespace: "team-b", name: "other", isComplete: false, isCanary: false, isStalled: false, isStarting: false },
  marker: { revision: "new", phase: "Applied", startTime: now.toISOString(), wasReady: true },
};
const self: UpgradeMember = {
  ...active,
  namespace: "team-a",
  name: "demo",
  isComplete: true,
  isCanary: true,
  marker: undefined,
};

interface Situation {
  readonly spec?: Partial<MlflowServerSpec>;
  readonly references?: References;
  readonly owned?: readonly Owned[];
  readonly others?: readonly UpgradeMember[];
  readonly imageRepository?: string;
  readonly generation?: number;
}

/** The plan of an operator with another image. */
function plan({
  spec: changes = {},
  references,
  owned = everything,
  others = [active],
  imageRepository = "example.com/newer",
  generation = 1,
}: Situation) {
  const of = server({ ...spec, ...changes }, { status, metadata: { ...former.server.metadata, generation } });
  const installation = { ...former.installation, imageRepository, upgrade };
  const wanted: Inputs = { ...former, server: of, installation, references: references ?? former.references };
  const observed = {
    server: of,
    owned,
    unmanaged: [],
    granted: [],
    references: wanted.references,
    model: resolve(wanted),
    installation,
    now,
  };
  return planOf({ ...observed, isMutatedByAdmission: () => false, upgradeMembers: () => [...others, self] });
}

const text = (step: Step) =>
  "live" in step ? `${step.do} ${step.live.kind}` : "manifest" in step ? `${step.do} ${step.manifest.kind}` : step.do;
const steps = (situation: Situation) => plan(situation).groups.flat().map(text);
const deployment = everything.find((each): each is Deployment => each.kind === "Deployment");
assert.ok(deployment !== undefined);

function withAnnotations(annotations: Readonly<Record<string, string | undefined>>): Owned[] {
  return everything.map((each) => {
    if (each.kind !== "Deployment") return each;
    const entries = Object.entries({ ...each.metadata.annotations, ...annotations });
    const kept = Object.fromEntries(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
    return { ...each, metadata: { ...each.metadata, annotations: kept } };
  });
}

/** The completed Job of the checks that the plan of a situation begins with. */
function passed(situation: Situation): Owned {
  const job = plan(situation).hold?.create;
  assert.ok(job !== undefined);
  return { ...job, status: { conditions: [{ type: "Complete", status: "True" }] } };
}

describe("the plan of an operator that renders other pods", () => {
  test("writes nothing while other servers have their turn", () => {
    const waiting = plan({});
    assert.deepEqual(waiting.groups, []);
    assert.equal(waiting.upgrade?.cause.reason, "UpgradeWaiting");
    assert.equal(waiting.migration.complete, true, "the schema is that of the previous pods");
  });

  test("marks the Deployment first when the turn comes, and migrates only then", () => {
    assert.deepEqual(steps({ others: [] }), ["start upgrade Deployment"]);
    const started = { revision: "new", phase: "Started", startTime: now.toISOString(), wasReady: true } as const;
    const owned = withAnnotations({ [annotation.upgrade]: markerText(started) });
    const checking = plan({ owned });
    assert.equal(checking.hold?.create?.metadata.labels?.[label.component], "preflight", "regardless of other servers");
    assert.ok(steps({ owned: [...owned, passed({ owned })] }).includes("create Job"));
    const migrated = plan({ owned, imageRepository: former.installation.imageRepository });
    assert.equal(migrated.upgrade, undefined);
  });

  test("reports that the server is no longer ready together with the first record of the migration", () => {
    const started = { revision: "new", phase: "Started", startTime: now.toISOString(), wasReady: true } as const;
    const marked = withAnnotations({ [annotation.upgrade]: markerText(started) });
    const owned = [...marked, passed({ owned: marked })];
    const [record] = plan({ owned }).groups.flat();
    assert.ok(record?.do === "record");
    assert.equal(record.record.phase, "Started");
    const reported = record.conditions?.map(({ type, status: is, observedGeneration }) => [
      type,
      is,
      observedGeneration,
    ]);
    assert.deepEqual(reported, [
      ["Ready", "False", 1],
      ["Reconciling", "True", 1],
      ["Stalled", "False", 1],
      ["DatabaseReady", "False", 1],
      ["Available", "False", 1],
      ["EndpointSecured", "Unknown", 1],
    ]);
    const [edited] = plan({ owned, generation: 2 }).groups.flat();
    assert.ok(edited?.do === "record");
    assert.equal(edited.conditions, undefined, "the status shows that it is of an earlier spec");
  });

  test("asks again in the moment of the write", () => {
    const others: UpgradeMember[] = [];
    const [step] = plan({ others }).groups.flat();
    assert.ok(step?.do === "start upgrade");
    assert.equal(step.isAllowed(), true);
  });

  test("holds back nothing that a user changes", () => {
    const changed: Situation[] = [
      { spec: { server: { logLevel: "DEBUG" } } },
      { references: inputs(server(spec), [password("second")]).references },
      { owned: everything.filter(({ kind }) => kind !== "Deployment") },
      { owned: [] },
    ];
    for (const situation of changed) {
      const { upgrade: waiting, migration, hold } = plan(situation);
      assert.equal(waiting, undefined);
      assert.ok(
        (migration.create ?? hold?.create) !== undefined,
        "the image of the new operator is checked, or migrates",
      );
    }
  });

  test("scales a server that waits, with the pod template that it has", () => {
    const scaled = plan({ spec: { replicas: 3 } })
      .groups.flat()
      .flatMap((step) => (step.do === "apply" && step.manifest.kind === "Deployment" ? [step.manifest.spec] : []));
    assert.deepEqual(scaled, [{ ...deployment.spec, replicas: 3 }]);
  });

  test("scales its pods for artifacts in the same way", () => {
    const before = inputs(server({ ...spec, artifactServer: { replicas: 1 } }), [password("first")]);
    const owned = all(before).map(live);
    const scaled = plan({ owned, spec: { artifactServer: { replicas: 3 } } })
      .groups.flat()
      .flatMap((step) => (step.do === "apply" && step.manifest.kind === "Deployment" ? [step.manifest] : []));
    const further = owned.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "demo-artifacts");
    assert.ok(further?.kind === "Deployment");
    assert.deepEqual(
      scaled.map(({ metadata, spec }) => [metadata.name, spec]),
      [["demo-artifacts", { ...further.spec, replicas: 3 }]],
    );
  });

  test("repairs what does not concern pods", () => {
    const owned = everything.filter(({ kind }) => kind !== "Service" && kind !== "NetworkPolicy");
    assert.deepEqual(
      steps({ owned }).filter((each) => each.startsWith("create")),
      ["create NetworkPolicy", "create Service"],
    );
  });

  test("changes pods immediately if only drift is to be repaired", () => {
    const owned = everything.map((each) =>
      each.kind === "Deployment" ? { ...each, spec: { ...each.spec, progressDeadlineSeconds: 1 } } : each,
    );
    const { imageRepository } = former.installation;
    assert.deepEqual(steps({ owned, imageRepository }), ["apply Deployment"]);
    assert.deepEqual(steps({ imageRepository }), [], "and writes nothing where nothing differs");
  });

  test("waits as well where the Deployment does not say how it was rendered, unless the pods are the same", () => {
    const owned = withAnnotations({ [annotation.rendering]: undefined });
    assert.equal(plan({ owned }).upgrade?.cause.reason, "UpgradeWaiting");
    const { imageRepository } = former.installation;
    assert.deepEqual(steps({ owned, imageRepository }), ["apply Deployment"]);
  });

  test("keeps the mark of an upgrade until a user changes the server", () => {
    const done = { revision: "new", phase: "Applied", startTime: now.toISOString(), wasReady: true } as const;
    const marked = withAnnotations({ [annotation.upgrade]: markerText(done) });
    const { imageRepository } = former.installation;
    const written = (situation: Situation) =>
      plan({ owned: marked, imageRepository, ...situation })
        .groups.flat()
        .flatMap((step) =>
          step.do === "apply" && step.manifest.kind === "Deployment" ? [markerIn(step.manifest)] : [],
        );
    assert.deepEqual(written({}), [done]);
    assert.deepEqual(written({ spec: { server: { logLevel: "DEBUG" } } }), [undefined]);
  });
});

import assert from "node:assert/strict";
import type { MlflowBackup } from "../../src/api/backup.ts";
import type { CustomResource } from "../../src/api/definitions.ts";
import type { MlflowServer } from "../../src/api/server.ts";
import type { MlflowWorkspaceAccess } from "../../src/api/workspace-access.ts";
import type { Condition } from "../../src/kube/conditions.ts";
import type { Deployment } from "../../src/kube/manifests.ts";
import { hasExternalService } from "../../src/model/exposure.ts";
import { reasonsOf, serverConditions } from "../../src/reconcile/conditions/index.ts";

export type Reporting = CustomResource;

/** The fields of a Deployment that determine whether its rollout is complete. */
export interface DeploymentState {
  readonly image: string | undefined;
  readonly counts: Readonly<Record<"specified" | "observed" | "generation" | "all" | "updated" | "available", number>>;
}

export function deploymentState({ spec, status = {}, metadata }: Deployment): DeploymentState {
  return {
    image: spec.template.spec?.containers[0]?.image,
    counts: {
      specified: spec.replicas ?? 1,
      observed: status.observedGeneration ?? 0,
      generation: metadata.generation ?? 0,
      all: status.replicas ?? 0,
      updated: status.updatedReplicas ?? 0,
      available: status.availableReplicas ?? 0,
    },
  };
}

/** Asserts that no operator has reported on the object: its status is the default of the CRD. */
export function assertPending({ status }: Reporting): void {
  assert.deepEqual(
    status?.conditions?.map(({ type, status: is, reason }) => [type, is, reason]),
    ["Ready", "Reconciling", "Stalled"].map((type) => [type, "Unknown", "Pending"]),
  );
  assert.equal(status.observedGeneration, undefined);
}

const reasons = reasonsOf(serverConditions);
const conditionTypes = new Set(serverConditions.map(({ type }) => type));

const longestMessage = 8192;
/** Clocks of this process and of the operator's are the same; timestamps are in whole seconds. */
const clockTolerance = 5000;

/**
 * Asserts the invariants of each status that the operator writes, from kstatus and the Kubernetes API conventions.
 * `previous` is the previous version of the object; `now` is when this one was received.
 */
export function assertStatus(object: Reporting, previous: Reporting | undefined, now: number): void {
  const { status, metadata } = object;
  if (status?.conditions === undefined) return;
  const { conditions } = status;
  const generation = metadata.generation ?? 0;
  const of = status.observedGeneration ?? 0;
  const text = `${object.kind} ${metadata.namespace}/${metadata.name} at generation ${generation}: ${JSON.stringify(status)}`;
  const types = conditions.map(({ type }) => type);
  assert.equal(new Set(types).size, types.length, `a condition is reported twice: ${text}`);
  assert.deepEqual(types.slice(0, 3), ["Ready", "Reconciling", "Stalled"], text);
  assert.ok(of <= generation, `the observed generation is ahead: ${text}`);
  const previousStatus = previous?.metadata.uid === metadata.uid ? previous?.status : undefined;
  assert.ok((previousStatus?.observedGeneration ?? 0) <= of, `the observed generation went back: ${text}`);
  if (previousStatus?.observedGeneration === of && previousStatus.observedGenerationTime !== undefined)
    assert.equal(status.observedGenerationTime, previousStatus.observedGenerationTime, text);
  for (const condition of conditions) assertCondition(condition, of, previousStatus?.conditions, now, text);
  assertExclusive(conditions, of, text);
  if (isServer(object)) {
    for (const type of types) assert.ok(conditionTypes.has(type), `unknown condition ${type}: ${text}`);
    if (of === generation) assertTypes(object, types, text);
    assertReadyParts(object, text);
  } else if (isBackup(object)) {
    assert.equal(holds(conditions, "Ready"), object.status?.phase === "Completed", text);
    const before =
      previous?.metadata.uid === metadata.uid && previous !== undefined && isBackup(previous)
        ? previous.status?.phase
        : undefined;
    if (before === "Completed" || before === "Failed") assert.equal(object.status?.phase, before, text);
  } else if (isAccess(object) && holds(conditions, "Ready")) assert.ok(object.status?.roleBinding !== undefined, text);
}

function assertCondition(
  { type, status, reason, message, observedGeneration, lastTransitionTime }: Condition,
  of: number,
  previous: readonly Condition[] | undefined,
  now: number,
  text: string,
): void {
  assert.ok(Object.hasOwn(reasons, reason), `${type} has an unknown reason: ${text}`);
  assert.ok(
    message.trim() !== "" && message.length <= longestMessage,
    `${type} has no message, or a long one: ${text}`,
  );
  assert.ok(observedGeneration <= of, `${type} is of a later generation than the status: ${text}`);
  assert.ok(Date.parse(lastTransitionTime) <= now + clockTolerance, `${type} changed in the future: ${text}`);
  const before = previous?.find((each) => each.type === type);
  if (before === undefined) return;
  assert.ok(
    before.observedGeneration <= observedGeneration,
    `${type} is of an earlier generation than before: ${text}`,
  );
  if (before.status === status)
    assert.equal(lastTransitionTime, before.lastTransitionTime, `${type} did not change: ${text}`);
  else
    assert.ok(
      Date.parse(lastTransitionTime) >= Date.parse(before.lastTransitionTime) - clockTolerance,
      `${type} changed before its last change: ${text}`,
    );
}

/** kstatus: exactly one of Ready, Reconciling and Stalled is True, all with the observed generation of the status. */
function assertExclusive(conditions: readonly Condition[], of: number, text: string): void {
  const [ready, reconciling, stalled] = conditions;
  assert.ok(ready && reconciling && stalled, text);
  for (const { type, observedGeneration } of [ready, reconciling, stalled])
    assert.equal(observedGeneration, of, `${type} is not of the observed generation: ${text}`);
  const holding = [ready, reconciling, stalled].filter(({ status }) => status === "True");
  assert.ok(holding.length === 1 || (holding.length === 0 && ready.status === "Unknown"), `not exactly one: ${text}`);
  const [one] = holding;
  if (one !== undefined) assert.deepEqual([one.reason, one.message], [ready.reason, ready.message], text);
}

/** Asserts the set of condition types of this spec. */
function assertTypes({ spec }: MlflowServer, types: readonly string[], text: string): void {
  const expected: Readonly<Record<string, boolean>> = {
    DatabaseReady: true,
    Available: true,
    MeshReady: spec.mesh !== undefined || spec.traces !== undefined,
    Exposed: spec.exposure?.ingress !== undefined || spec.exposure?.httpRoute !== undefined || hasExternalService(spec),
    WorkspacesReady: spec.workspaces !== undefined,
  };
  for (const [type, isExpected] of Object.entries(expected))
    assert.equal(types.includes(type), isExpected, `${type} is missing, or is not of this spec: ${text}`);
}

/** Ready is True only if the conditions that it includes are True with the same generation. */
function assertReadyParts({ spec, status, metadata }: MlflowServer, text: string): void {
  const { conditions = [], observedGeneration } = status ?? {};
  const ready = conditions.find(({ type }) => type === "Ready");
  if (ready?.status !== "True") return;
  const part = (type: string) => conditions.find((each) => each.type === type);
  const database = part("DatabaseReady");
  assert.deepEqual([database?.status, database?.observedGeneration], ["True", observedGeneration], text);
  const isHibernated = ready.reason === "Hibernated";
  assert.equal(part("Available")?.status === "True", !isHibernated, `Ready without available pods: ${text}`);
  if (observedGeneration !== metadata.generation) return;
  assert.equal(isHibernated, spec.hibernate === true || spec.replicas === 0, text);
  assert.equal(status?.version, spec.version, text);
  assert.notEqual(status?.migration?.phase, "Started", `Ready during a migration: ${text}`);
}

/** Whether this version of the object reports Ready for the current generation, and the previous did not. */
export function isNewlyReady({ metadata, status }: MlflowServer, previous: MlflowServer | undefined): boolean {
  if (!holds(status?.conditions, "Ready") || status?.observedGeneration !== metadata.generation) return false;
  return JSON.stringify(previous?.status) !== JSON.stringify(status);
}

/** Asserts a complete rollout as `kubectl rollout status` does, and that the Deployment has the version of the spec. */
export function assertRolledOut({ image, counts }: DeploymentState, { spec, metadata }: MlflowServer): void {
  const what = `MlflowServer ${metadata.namespace}/${metadata.name} is Ready before its rollout was over`;
  const { minReplicas = 1, maxReplicas } = spec.autoscaling ?? { minReplicas: 0, maxReplicas: spec.replicas };
  const isStopped = spec.hibernate === true || spec.replicas === 0;
  const replicas = isStopped ? 0 : Math.max(minReplicas, Math.min(spec.replicas, maxReplicas));
  if (spec.image === undefined)
    assert.match(image ?? "", new RegExp(`${spec.version.replaceAll(".", "[.]")}|@sha256:`), what);
  const { generation } = counts;
  const expected = { specified: replicas, observed: generation, generation, all: replicas };
  assert.deepEqual(counts, { ...expected, updated: replicas, available: replicas }, what);
}

export function isServer(object: Reporting): object is MlflowServer {
  return object.kind === "MlflowServer";
}

function isBackup(object: Reporting): object is MlflowBackup {
  return object.kind === "MlflowBackup";
}

function isAccess(object: Reporting): object is MlflowWorkspaceAccess {
  return object.kind === "MlflowWorkspaceAccess";
}

function holds(conditions: readonly Condition[] | undefined, type: string): boolean {
  return conditions?.find((each) => each.type === type)?.status === "True";
}

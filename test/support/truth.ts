import assert from "node:assert/strict";
import type { MlflowServer } from "../../src/api/server.ts";
import type { Deployment } from "../../src/kube/manifests.ts";
import type { Version } from "./history.ts";

/** The conditions of a server with this spec, in their order. */
function conditionTypes({ traces, exposure }: MlflowServer["spec"]): readonly string[] {
  const isRouted = exposure?.ingress !== undefined || exposure?.httpRoute !== undefined;
  const own = [traces === undefined ? [] : ["MeshReady"], isRouted ? ["Exposed"] : []].flat();
  return ["Ready", "Reconciling", "Stalled", "DatabaseReady", ...own, "Available"];
}

/**
 * Asserts of every version of a server that has been seen that its status told the truth as kstatus reads it; of those
 * that said Ready of their own generation also that the Deployment was rolled out at that very moment.
 */
export function assertTruthful(
  servers: readonly Version<MlflowServer>[],
  deployments: readonly Version<Deployment>[],
): void {
  for (const [index, { object, at }] of servers.entries()) {
    const { status, metadata } = object;
    if (status?.conditions === undefined) continue;
    const story = `${metadata.name} at ${at}: ${JSON.stringify(status)}`;
    assert.deepEqual(
      status.conditions.map(({ type }) => type),
      conditionTypes(object.spec),
      story,
    );
    for (const { observedGeneration } of status.conditions) {
      assert.equal(observedGeneration, status.observedGeneration, story);
    }
    assert.ok((status.observedGeneration ?? 0) <= (metadata.generation ?? 0), story);
    const holds = (type: string) => status.conditions?.find((found) => found.type === type)?.status === "True";
    const exclusive = ["Ready", "Reconciling", "Stalled"].filter(holds);
    assert.equal(exclusive.length, 1, `exactly one of Ready, Reconciling and Stalled is True: ${story}`);
    const former = servers.slice(0, index).findLast((version) => version.object.metadata.uid === metadata.uid);
    for (const condition of status.conditions) {
      const before = former?.object.status?.conditions?.find(({ type }) => type === condition.type);
      if (before?.status !== condition.status) continue;
      assert.equal(condition.lastTransitionTime, before.lastTransitionTime, `${condition.type} moved: ${story}`);
    }
    const isNews = JSON.stringify(former?.object.status) !== JSON.stringify(status);
    if (isNews && holds("Ready") && status.observedGeneration === metadata.generation) {
      const deployment = deployments.findLast((version) => version.at < at && sameName(version, object));
      assert.ok(deployment !== undefined, `Ready without a Deployment: ${story}`);
      assertRolledOut(deployment.object, object);
    }
  }
}

function sameName(version: Version<Deployment>, server: MlflowServer): boolean {
  return version.object.metadata.name === server.metadata.name;
}

/** As `kubectl rollout status` judges, and that the Deployment is of this spec. */
function assertRolledOut({ spec, status = {}, metadata }: Deployment, server: MlflowServer): void {
  const replicas = server.spec.hibernate === true ? 0 : server.spec.replicas;
  const image = `:${server.spec.version}`;
  assert.ok(spec.template.spec?.containers[0]?.image?.endsWith(image), `Ready before the image is that of ${image}`);
  assert.deepEqual(
    {
      specified: spec.replicas,
      observed: status.observedGeneration,
      all: status.replicas ?? 0,
      updated: status.updatedReplicas ?? 0,
      available: status.availableReplicas ?? 0,
    },
    { specified: replicas, observed: metadata.generation, all: replicas, updated: replicas, available: replicas },
    `Ready before the rollout of Deployment/${metadata.name} was over`,
  );
}

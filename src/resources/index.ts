import type { ServerModel } from "../features/server-model.ts";
import type { Manifest } from "../kube/manifests.ts";
import { withAppliedFieldsHash } from "./applied-fields-hash.ts";
import { artifactDeployment, deployment } from "./deployment.ts";
import { externalService, httpRoute, ingress } from "./exposure.ts";
import { garbageCollection } from "./garbage-collection.ts";
import { horizontalPodAutoscaler } from "./horizontal-pod-autoscaler.ts";
import { meshBuilders } from "./mesh/index.ts";
import { migrationJob } from "./migration-job.ts";
import { networkPolicy } from "./network-policy.ts";
import { persistentVolumeClaim } from "./persistent-volume-claim.ts";
import { artifactBudget, podDisruptionBudget } from "./pod-disruption-budget.ts";
import { renderingOf, withRendering } from "./rendering.ts";
import { adminSecret, authSecret, sessionSecret, storeSecret } from "./secrets.ts";
import { artifactService, service } from "./service.ts";
import { clusterRoleBinding, reviewerBinding, serviceAccount } from "./service-account.ts";

/** Returns the desired state of an object of a server, or undefined if the server does not need it. */
export type Builder = (model: ServerModel) => Manifest | undefined;

/**
 * All builders by stage, in the order in which the objects are written. Generated Secrets come first, because others depend on
 * them. Objects that pods read, and the pods, come after the migration: until then the running pods keep their state. Mesh
 * and exposure come last: a conflict there does not block the rest.
 */
export const stages = {
  generated: [sessionSecret, adminSecret],
  prerequisites: [
    networkPolicy,
    podDisruptionBudget,
    artifactBudget,
    horizontalPodAutoscaler,
    serviceAccount,
    clusterRoleBinding,
    reviewerBinding,
    service,
    artifactService,
    persistentVolumeClaim,
  ],
  migration: [migrationJob],
  workload: [storeSecret, authSecret, deployment, artifactDeployment, garbageCollection],
  mesh: meshBuilders,
  exposure: [ingress, httpRoute, externalService],
} as const satisfies Record<string, readonly Builder[]>;

export type Stage = keyof typeof stages;

/** Returns the desired objects of a server by stage. */
export function desired(
  model: ServerModel,
  builders: Readonly<Record<Stage, readonly Builder[]>> = stages,
): Record<Stage, Manifest[]> {
  const build = (stage: Stage) => builders[stage].flatMap((builder) => builder(model) ?? []);
  const migration = build("migration");
  const workload = build("workload");
  const mesh = build("mesh");
  const rendering = renderingOf(model, [...migration, ...workload, ...mesh]);
  return {
    generated: build("generated").map(withAppliedFieldsHash),
    prerequisites: build("prerequisites").map(withAppliedFieldsHash),
    migration: migration.map(withAppliedFieldsHash),
    workload: workload.map((manifest) => withAppliedFieldsHash(withRendering(manifest, model, rendering))),
    mesh: mesh.map(withAppliedFieldsHash),
    exposure: build("exposure").map(withAppliedFieldsHash),
  };
}

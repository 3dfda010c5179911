import { unsupportedFields } from "../api/unsupported-fields.ts";
import type { Manifest } from "../kube/manifests.ts";
import { adminSecret } from "./admin-secret.ts";
import { withAppliedFieldsHash } from "./applied-fields-hash.ts";
import { authSecret } from "./auth-secret.ts";
import { clusterRoleBinding, reviewerBinding } from "./cluster-role-binding.ts";
import { deployment } from "./deployment.ts";
import { httpRoute } from "./http-route.ts";
import { ingress } from "./ingress.ts";
import type { Inputs } from "./inputs.ts";
import { meshBuilders } from "./mesh/index.ts";
import { migrationJob } from "./migration-job.ts";
import { networkPolicy } from "./network-policy.ts";
import { persistentVolumeClaim } from "./persistent-volume-claim.ts";
import { podDisruptionBudget } from "./pod-disruption-budget.ts";
import { service } from "./service.ts";
import { serviceAccount } from "./service-account.ts";
import { sessionSecret } from "./session-secret.ts";
import { storeSecret } from "./store-secret.ts";

/** A resource of a server as it shall be, or undefined where this server has none. */
export type Builder = (inputs: Inputs) => Manifest | undefined;

/**
 * All builders, by when their object is written. What was generated comes first: everything else is made of it. What the
 * pods read and the pods themselves come after the migration: until then, what runs keeps its former state. The mesh and
 * what leads to the server from outside come last: what is in their way is in nobody else's.
 */
export const stages = {
  generated: [sessionSecret, adminSecret],
  prerequisites: [
    networkPolicy,
    podDisruptionBudget,
    serviceAccount,
    clusterRoleBinding,
    reviewerBinding,
    service,
    persistentVolumeClaim,
  ],
  migration: [migrationJob],
  workload: [storeSecret, authSecret, deployment],
  mesh: meshBuilders,
  exposure: [ingress, httpRoute],
} as const satisfies Record<string, readonly Builder[]>;

export type Stage = keyof typeof stages;

/** The objects that a server shall have, by stage. Throws where the spec has what this operator does not know. */
export function desired(inputs: Inputs): Record<Stage, Manifest[]> {
  const [unsupported] = unsupportedFields("MlflowServer", inputs.server.spec);
  if (unsupported !== undefined) throw new Error(`${unsupported}: not supported by this version of the operator`);
  const build = (stage: Stage) =>
    stages[stage].flatMap((builder: Builder) => builder(inputs) ?? []).map(withAppliedFieldsHash);
  return {
    generated: build("generated"),
    prerequisites: build("prerequisites"),
    migration: build("migration"),
    workload: build("workload"),
    mesh: build("mesh"),
    exposure: build("exposure"),
  };
}

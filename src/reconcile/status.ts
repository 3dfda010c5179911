import type { Reason } from "../api/reasons.ts";
import type { MlflowServer, MlflowServerStatus } from "../api/server.ts";
import type { RolloutRecord } from "../api/status.ts";
import { artifactStorageOf } from "../features/artifacts/index.ts";
import { administratorOf, authenticationMethod } from "../features/authentication/index.ts";
import { backendDatabase } from "../features/database/index.ts";
import { type Condition, conditionsOf, type NewCondition, timestamp } from "../kube/conditions.ts";
import type { Deployment } from "../kube/manifests.ts";
import { isControlledBy } from "../kube/object.ts";
import { externalAddressOf } from "../model/exposure.ts";
import { podSelector } from "../model/metadata.ts";
import { objectNames, serviceUrl } from "../model/names.ts";
import { observedSince } from "./grace-period.ts";
import { notReconciling, notStalled } from "./inactive-conditions.ts";
import type { ObservedState } from "./observed-state.ts";
import type { Outcome } from "./outcome.ts";
import { isRolledOut } from "./rollout.ts";
import { unsupportedSpec } from "./unsupported-spec.ts";
import type { WorkspaceSummary } from "./workspace/summary.ts";

/** Set by the Deployment controller; it changes with the pod template. */
const revisionAnnotation = "deployment.kubernetes.io/revision";

/** The input of the status, besides the outcome. */
export type Reported = Pick<ObservedState, "server" | "owned" | "workspaces" | "mesh" | "exposure" | "now">;

/**
 * The status after a reconciliation. It follows kstatus: `Ready` is True only when the rollout of this generation is complete,
 * and exactly one of `Reconciling` and `Stalled` is True until then.
 */
export function statusOf(observed: Reported, outcome: Outcome): MlflowServerStatus {
  if (outcome.isUnread || unsupportedSpec("MlflowServer", observed.server.spec)) return unreadStatus(observed, outcome);
  const { server, owned, workspaces, now } = observed;
  const { generation = 0 } = server.metadata;
  const externalURL = externalAddressOf(server)?.url;
  const addresses = observed.exposure?.addresses ?? server.status?.addresses ?? [];
  const deployment = deploymentIn(owned, server);
  const before = server.status ?? {};
  const version = outcome.state === "ready" ? server.spec.version : before.version;
  // While pods of an earlier spec may run, clients authenticate as in that spec.
  const isOfPods = outcome.state === "ready" || deployment === undefined || before.authentication === undefined;
  const { authentication, adminCredentialsSecretRef } = isOfPods ? authenticationStatus(server) : before;
  const migration = outcome.migration === undefined ? before.migration : outcome.migration.record;
  const rollout = rolloutRecord(server, deployment);
  const selector = Object.entries(podSelector(server)).map(([key, value]) => `${key}=${value}`);
  return {
    observedGeneration: generation,
    observedGenerationTime: timestamp(observedSince(server, now)),
    conditions: conditionsOf(
      [
        ...newConditions(observed, outcome, deployment, before.conditions ?? []),
        ...workspacesConditions(server, workspaces, before.conditions ?? []),
      ],
      before.conditions ?? [],
      generation,
      now,
    ),
    url: externalURL ?? serviceUrl(server),
    serviceURL: serviceUrl(server),
    ...(externalURL !== undefined && { externalURL }),
    ...(addresses.length > 0 && { addresses: [...addresses] }),
    ...(authentication !== undefined && { authentication }),
    ...storesOf(server),
    ...(version !== undefined && { version }),
    ...(migration !== undefined && { migration }),
    ...(rollout !== undefined && { rollout }),
    ...(adminCredentialsSecretRef !== undefined && { adminCredentialsSecretRef }),
    replicas: deployment?.status?.replicas ?? 0,
    readyReplicas: deployment?.status?.readyReplicas ?? 0,
    ...(server.spec.workspaces !== undefined && workspaceCounts(workspaces, before)),
    selector: selector.join(","),
  };
}

/** The status that does not depend on the spec. Other conditions and fields stay, with their generation. */
function unreadStatus({ server, owned, now }: Reported, outcome: Outcome): MlflowServerStatus {
  const { generation = 0 } = server.metadata;
  const before = server.status?.conditions ?? [];
  const deployment = deploymentIn(owned, server);
  const asBefore = (type: string): Condition => {
    const unchecked: NewCondition = {
      type,
      status: "Unknown",
      reason: "NotChecked",
      message: "This has not been checked yet.",
    };
    const former = before.find((condition) => condition.type === type);
    return former ?? { ...unchecked, observedGeneration: generation, lastTransitionTime: timestamp(now) };
  };
  const wasHibernated = before.some(({ type, reason }) => type === "Available" && reason === "Hibernated");
  const { mesh, traces, exposure, workspaces } = server.spec;
  const isMeshed = mesh !== undefined || traces !== undefined;
  const isRouted = exposure?.ingress !== undefined || exposure?.httpRoute !== undefined;
  const parts = ["DatabaseReady", ...(isMeshed ? ["MeshReady"] : []), ...(isRouted ? ["Exposed"] : [])].map(asBefore);
  return {
    ...server.status,
    observedGeneration: generation,
    observedGenerationTime: timestamp(observedSince(server, now)),
    conditions: [
      ...conditionsOf(stateConditions(outcome), before, generation, now),
      ...parts,
      ...conditionsOf([availableCondition(deployment, wasHibernated)], before, generation, now),
      ...(workspaces === undefined ? [] : [asBefore("WorkspacesReady")]),
    ],
    replicas: deployment?.status?.replicas ?? 0,
    readyReplicas: deployment?.status?.readyReplicas ?? 0,
  };
}

function deploymentIn(owned: Reported["owned"], { metadata }: MlflowServer): Deployment | undefined {
  const name = objectNames.deployment(metadata.name);
  return owned.find((object): object is Deployment => object.kind === "Deployment" && object.metadata.name === name);
}

/** The last rollout, by the revision that the Deployment controller gives each pod template. */
function rolloutRecord(server: MlflowServer, deployment: Deployment | undefined): RolloutRecord | undefined {
  if (deployment === undefined || !isControlledBy(deployment, server)) return undefined;
  const revision = deployment.metadata.annotations?.[revisionAnnotation];
  if (revision === undefined) return undefined;
  const { rollout } = server.status ?? {};
  const wasComplete = rollout?.revision === revision && rollout.phase === "Complete";
  return { revision, phase: wasComplete || isRolledOut(deployment) ? "Complete" : "Started" };
}

function authenticationStatus(
  server: MlflowServer,
): Pick<MlflowServerStatus, "authentication" | "adminCredentialsSecretRef"> {
  const administrator = administratorOf(server);
  return {
    authentication: authenticationMethod(server.spec).displayName,
    ...(administrator?.canLogIn && { adminCredentialsSecretRef: { name: administrator.secretName } }),
  };
}

/** The stores for the columns of kubectl. */
function storesOf({ spec }: MlflowServer): Pick<MlflowServerStatus, "backendStore" | "artifactStore"> {
  return {
    backendStore: backendDatabase(spec).displayName,
    artifactStore: artifactStorageOf(spec).kind,
  };
}

function newConditions(
  observed: Reported,
  outcome: Outcome,
  deployment: Deployment | undefined,
  before: readonly Condition[],
): NewCondition[] {
  return [
    ...stateConditions(outcome),
    databaseCondition(outcome, before),
    ...meshConditions(observed, outcome),
    ...exposedConditions(observed, outcome),
    availableCondition(deployment, hibernates(observed.server)),
    ...(outcome.upgrade === undefined ? [] : [{ type: "UpgradePending", status: "True" as const, ...outcome.upgrade }]),
  ];
}

export function stateConditions({ state, cause, isUncertain }: Outcome): NewCondition[] {
  return [
    { type: "Ready", status: isUncertain ? "Unknown" : state === "ready" ? "True" : "False", ...cause },
    state === "progressing" ? { type: "Reconciling", status: "True", ...cause } : notReconciling,
    state === "stalled" ? { type: "Stalled", status: "True", ...cause } : notStalled,
  ];
}

/** The condition `MeshReady`, with a name conflict if that blocks its next step. */
function meshConditions({ mesh }: Reported, { cause }: Outcome): NewCondition[] {
  if (mesh === undefined) return [];
  const hasNameConflict = mesh.reason === "MeshProgressing" && cause.reason === "NameConflict";
  return [{ type: "MeshReady", ...mesh, ...(hasNameConflict && cause) }];
}

/** The condition `Exposed`, with a name conflict if that blocks the route. */
function exposedConditions({ exposure }: Reported, { cause }: Outcome): NewCondition[] {
  const exposed = exposure?.condition;
  if (exposed === undefined) return [];
  const hasNameConflict = exposed.reason === "RouteProgressing" && cause.reason === "NameConflict";
  return [{ type: "Exposed", ...exposed, ...(hasNameConflict && cause) }];
}

/** The condition `DatabaseReady`. If it was not checked, it keeps its generation: a missing Secret does not change it. */
function databaseCondition({ migration }: Outcome, before: readonly Condition[]): NewCondition {
  if (migration === undefined) {
    const former = before.find((condition) => condition.type === "DatabaseReady");
    if (former !== undefined) return unchanged(former);
    return {
      type: "DatabaseReady",
      status: "Unknown",
      reason: "NotChecked",
      message: "The database has not been checked yet. See the message of Ready.",
    };
  }
  if (isOfArtifacts(migration.cause.reason)) {
    const message = "The migration waits until the artifact store is writable";
    return { type: "DatabaseReady", status: "False", reason: "MigrationPending", message };
  }
  return { type: "DatabaseReady", status: migration.complete ? "True" : "False", ...migration.cause };
}

/** A condition of an earlier reconciliation, with its generation. */
function unchanged({ type, status, reason, message, observedGeneration }: Condition): NewCondition {
  return { type, status, reason, message, observedGeneration };
}

/** Whether a reason is about the artifact store, which the migration's Job checks before the database. */
function isOfArtifacts(reason: Reason): boolean {
  return reason.startsWith("ArtifactStore");
}

/** The condition `WorkspacesReady`. After a restart the former one of this generation stays until all workspaces have been checked. */
function workspacesConditions(
  { spec, metadata }: MlflowServer,
  workspaces: WorkspaceSummary | undefined,
  before: readonly Condition[],
): NewCondition[] {
  if (spec.workspaces === undefined) return [];
  const former = before.find(
    ({ type, observedGeneration }) => type === "WorkspacesReady" && observedGeneration === (metadata.generation ?? 0),
  );
  if (workspaces !== undefined && !(workspaces.isPartial && former !== undefined)) return [workspaces.condition];
  if (former === undefined) {
    const message = "The namespaces have not been checked yet";
    return [{ type: "WorkspacesReady", status: "Unknown", reason: "Progressing", message }];
  }
  return [unchanged(former)];
}

function workspaceCounts(
  workspaces: WorkspaceSummary | undefined,
  before: MlflowServerStatus,
): Pick<MlflowServerStatus, "workspaces"> {
  if (workspaces === undefined || workspaces.isPartial)
    return before.workspaces ? { workspaces: before.workspaces } : {};
  return { workspaces: { ready: workspaces.ready, total: workspaces.total } };
}

/** Whether the spec stops all pods. */
function hibernates({ spec }: MlflowServer): boolean {
  return spec.hibernate === true || spec.replicas === 0;
}

function availableCondition(deployment: Deployment | undefined, isHibernated: boolean): NewCondition {
  const type = "Available";
  const wanted = deployment?.spec.replicas ?? 0;
  if (deployment === undefined)
    return { type, status: "False", reason: "NotStarted", message: "No pods have been started yet" };
  const available = deployment.status?.availableReplicas ?? 0;
  if (available > 0)
    return { type, status: "True", reason: "PodsReady", message: `${available} of ${wanted} pods are available` };
  return wanted === 0 && isHibernated
    ? { type, status: "False", reason: "Hibernated", message: "No pods run, as the spec sets" }
    : { type, status: "False", reason: "NoPodReady", message: `0 of ${wanted} pods are available` };
}

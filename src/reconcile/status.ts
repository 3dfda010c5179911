import type { Reason } from "../api/reasons.ts";
import type { MlflowServer, MlflowServerStatus } from "../api/server.ts";
import { type Condition, conditionsOf, type Finding, timestamp } from "../kube/conditions.ts";
import type { Deployment } from "../kube/manifests.ts";
import { administratorOf } from "../resources/authentication/administrator.ts";
import { authenticationName } from "../resources/authentication/index.ts";
import { choose } from "../resources/choose.ts";
import { externalAddressOf } from "../resources/exposure.ts";
import { podSelector } from "../resources/metadata.ts";
import { objectNames, serviceUrl } from "../resources/names.ts";
import type { Facts } from "./facts.ts";
import { observedSince } from "./grace-period.ts";
import { notReconciling, notStalled } from "./inactive-conditions.ts";
import type { Outcome } from "./outcome.ts";
import { unsupportedSpec } from "./unsupported-spec.ts";
import type { WorkspaceSummary } from "./workspace/summary.ts";

/** What the status speaks of, besides the outcome. */
export type Reported = Pick<Facts, "server" | "owned" | "workspaces" | "mesh" | "exposure" | "now">;

/**
 * The status after a pass. It follows kstatus: `Ready` is True only when the rollout of this very generation is over,
 * and exactly one of `Reconciling` and `Stalled` is True until then.
 */
export function statusOf(facts: Reported, outcome: Outcome): MlflowServerStatus {
  if (outcome.isUnread || unsupportedSpec("MlflowServer", facts.server.spec)) return unreadStatus(facts, outcome);
  const { server, owned, workspaces, now } = facts;
  const { generation = 0 } = server.metadata;
  const externalURL = externalAddressOf(server)?.url;
  const addresses = facts.exposure?.addresses ?? server.status?.addresses ?? [];
  const deployment = deploymentIn(owned, server);
  const before = server.status ?? {};
  const version = outcome.state === "ready" ? server.spec.version : before.version;
  // While pods of an earlier spec may run, clients authenticate by what that said.
  const isOfPods = outcome.state === "ready" || deployment === undefined || before.authentication === undefined;
  const { authentication, adminCredentialsSecretRef } = isOfPods ? authenticationStatus(server) : before;
  const migration = outcome.migration === undefined ? before.migration : outcome.migration.record;
  const selector = Object.entries(podSelector(server)).map(([key, value]) => `${key}=${value}`);
  return {
    observedGeneration: generation,
    observedGenerationTime: timestamp(observedSince(server, now)),
    conditions: conditionsOf(
      [
        ...findings(facts, outcome, deployment, before.conditions ?? []),
        ...workspaceFindings(server, workspaces, before.conditions ?? []),
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
    ...(adminCredentialsSecretRef !== undefined && { adminCredentialsSecretRef }),
    replicas: deployment?.status?.replicas ?? 0,
    readyReplicas: deployment?.status?.readyReplicas ?? 0,
    ...(server.spec.workspaces !== undefined && workspaceCounts(workspaces, before)),
    selector: selector.join(","),
  };
}

/** What is known without the spec. The other conditions and fields stay as they were, each of its own generation. */
function unreadStatus({ server, owned, now }: Reported, outcome: Outcome): MlflowServerStatus {
  const { generation = 0 } = server.metadata;
  const before = server.status?.conditions ?? [];
  const deployment = deploymentIn(owned, server);
  const asBefore = (type: string): Condition => {
    const unchecked: Finding = {
      type,
      status: "Unknown",
      reason: "NotChecked",
      message: "This has not been checked yet.",
    };
    const former = before.find((condition) => condition.type === type);
    return former ?? { ...unchecked, observedGeneration: generation, lastTransitionTime: timestamp(now) };
  };
  const { mesh, traces, exposure, workspaces } = server.spec;
  const isMeshed = mesh !== undefined || traces !== undefined;
  const isRouted = exposure?.ingress !== undefined || exposure?.httpRoute !== undefined;
  const parts = ["DatabaseReady", ...(isMeshed ? ["MeshReady"] : []), ...(isRouted ? ["Exposed"] : [])].map(asBefore);
  return {
    ...server.status,
    observedGeneration: generation,
    observedGenerationTime: timestamp(observedSince(server, now)),
    conditions: [
      ...conditionsOf(stateFindings(outcome), before, generation, now),
      ...parts,
      ...conditionsOf([availableFinding(deployment)], before, generation, now),
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

function authenticationStatus(
  server: MlflowServer,
): Pick<MlflowServerStatus, "authentication" | "adminCredentialsSecretRef"> {
  const administrator = administratorOf(server);
  return {
    authentication: authenticationName(server.spec),
    ...(administrator?.canLogIn && { adminCredentialsSecretRef: { name: administrator.secretName } }),
  };
}

/** The stores as tables name them. */
function storesOf({ spec }: MlflowServer): Pick<MlflowServerStatus, "backendStore" | "artifactStore"> {
  return {
    backendStore: choose(spec.backendStore, "spec.backendStore", {
      sqlite: () => "SQLite",
      postgresql: () => "PostgreSQL",
      uriSecretRef: () => "URI",
    }),
    artifactStore: choose(spec.artifactStore, "spec.artifactStore", {
      persistentVolume: () => "PersistentVolume",
      s3: () => "S3",
    }),
  };
}

function findings(
  facts: Reported,
  outcome: Outcome,
  deployment: Deployment | undefined,
  before: readonly Condition[],
): Finding[] {
  return [
    ...stateFindings(outcome),
    databaseFinding(outcome, before),
    ...meshFinding(facts, outcome),
    ...exposureFinding(facts, outcome),
    availableFinding(deployment),
  ];
}

export function stateFindings({ state, cause, isUncertain }: Outcome): Finding[] {
  return [
    { type: "Ready", status: isUncertain ? "Unknown" : state === "ready" ? "True" : "False", ...cause },
    state === "progressing" ? { type: "Reconciling", status: "True", ...cause } : notReconciling,
    state === "stalled" ? { type: "Stalled", status: "True", ...cause } : notStalled,
  ];
}

/** Why its next step could not be taken is what the pass says, where somebody else's object has its name. */
function meshFinding({ mesh }: Reported, { cause }: Outcome): Finding[] {
  if (mesh === undefined) return [];
  const isTaken = mesh.reason === "MeshProgressing" && cause.reason === "NameConflict";
  return [{ type: "MeshReady", ...mesh, ...(isTaken && cause) }];
}

/** A route that is not written may be so since somebody else's object has its name. */
function exposureFinding({ exposure }: Reported, { cause }: Outcome): Finding[] {
  const finding = exposure?.finding;
  if (finding === undefined) return [];
  const isTaken = finding.reason === "RouteProgressing" && cause.reason === "NameConflict";
  return [{ type: "Exposed", ...finding, ...(isTaken && cause) }];
}

/** What this pass has not checked keeps the generation that it was found of: a missing Secret says nothing of the database. */
function databaseFinding({ migration }: Outcome, before: readonly Condition[]): Finding {
  if (migration === undefined) {
    const former = before.find((condition) => condition.type === "DatabaseReady");
    if (former !== undefined) return asFound(former);
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

/** A condition as an earlier pass found it, of the generation of then. */
function asFound({ type, status, reason, message, observedGeneration }: Condition): Finding {
  return { type, status, reason, message, observedGeneration };
}

/** The migration's Job looks at the artifact store first, and has not come to the database then. */
function isOfArtifacts(reason: Reason): boolean {
  return reason.startsWith("ArtifactStore");
}

/** Until all workspaces have been looked at, after a start, what was said of this very spec holds. */
function workspaceFindings(
  { spec, metadata }: MlflowServer,
  workspaces: WorkspaceSummary | undefined,
  before: readonly Condition[],
): Finding[] {
  if (spec.workspaces === undefined) return [];
  const former = before.find(
    ({ type, observedGeneration }) => type === "WorkspacesReady" && observedGeneration === (metadata.generation ?? 0),
  );
  if (workspaces !== undefined && !(workspaces.isPartial && former !== undefined)) return [workspaces.finding];
  if (former === undefined) {
    const message = "The namespaces have not been checked yet";
    return [{ type: "WorkspacesReady", status: "Unknown", reason: "Progressing", message }];
  }
  return [asFound(former)];
}

function workspaceCounts(
  workspaces: WorkspaceSummary | undefined,
  before: MlflowServerStatus,
): Pick<MlflowServerStatus, "workspaces"> {
  if (workspaces === undefined || workspaces.isPartial)
    return before.workspaces ? { workspaces: before.workspaces } : {};
  return { workspaces: { ready: workspaces.ready, total: workspaces.total } };
}

function availableFinding(deployment: Deployment | undefined): Finding {
  const type = "Available";
  const wanted = deployment?.spec.replicas ?? 0;
  if (deployment === undefined)
    return { type, status: "False", reason: "NotStarted", message: "No pods have been started yet" };
  const available = deployment.status?.availableReplicas ?? 0;
  if (available > 0)
    return { type, status: "True", reason: "PodsReady", message: `${available} of ${wanted} pods are available` };
  return wanted === 0
    ? { type, status: "False", reason: "Hibernated", message: "No pods run, as the spec sets" }
    : { type, status: "False", reason: "NoPodReady", message: `0 of ${wanted} pods are available` };
}

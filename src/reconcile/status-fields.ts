import { unsecuredReasons } from "../api/event-reasons.ts";
import type { MlflowServer, MlflowServerStatus } from "../api/server.ts";
import { artifactStorageOf } from "../features/artifacts/index.ts";
import { administratorOf, authenticationMethod } from "../features/authentication/index.ts";
import { backendDatabase } from "../features/database/index.ts";
import { isControlledBy } from "../kube/object.ts";
import { externalAddressOf } from "../model/exposure.ts";
import { podSelector } from "../model/metadata.ts";
import { serviceUrl } from "../model/names.ts";
import { endpointSecured } from "./conditions/endpoint-secured.ts";
import { lastCollection } from "./garbage-collection.ts";
import { isRolledOut } from "./rollout.ts";
import type { StatusInput } from "./status-input.ts";

/** Set by the Deployment controller; it changes with the pod template. */
const revisionAnnotation = "deployment.kubernetes.io/revision";

/** Returns fields of the status besides the conditions. */
type StatusFields = (input: StatusInput) => MlflowServerStatus;

/** The fields that do not depend on the spec. */
const independentFields: readonly StatusFields[] = [replicaCounts];

const allFields: readonly StatusFields[] = [
  urls,
  addresses,
  authentication,
  stores,
  version,
  migration,
  rollout,
  upgrade,
  restore,
  endpointProblem,
  ...independentFields,
  workspaceCounts,
  garbageCollection,
  rotations,
  selector,
];

/** All fields of the status besides the conditions and the generation. */
export function statusFields(input: StatusInput): MlflowServerStatus {
  const fields = input.isSpecRead ? allFields : independentFields;
  const status: MlflowServerStatus = input.isSpecRead ? {} : { ...input.before };
  for (const fieldsOf of fields) Object.assign(status, fieldsOf(input));
  return status;
}

function urls({ server }: StatusInput): MlflowServerStatus {
  const externalURL = externalAddressOf(server)?.url;
  const serviceURL = serviceUrl(server);
  return { url: externalURL ?? serviceURL, serviceURL, ...(externalURL !== undefined && { externalURL }) };
}

function addresses({ exposure, before }: StatusInput): MlflowServerStatus {
  const found = exposure?.addresses ?? before.addresses ?? [];
  return found.length > 0 ? { addresses: [...found] } : {};
}

/** While pods of an earlier spec may run, clients authenticate as in that spec. */
function authentication({ server, outcome, deployment, before }: StatusInput): MlflowServerStatus {
  const isOfPods = outcome.state === "ready" || deployment === undefined || before.authentication === undefined;
  const { authentication: method, adminCredentialsSecretRef } = isOfPods ? ofSpec(server) : before;
  return {
    ...(method !== undefined && { authentication: method }),
    ...(adminCredentialsSecretRef !== undefined && { adminCredentialsSecretRef }),
  };
}

function ofSpec(server: MlflowServer): Pick<MlflowServerStatus, "authentication" | "adminCredentialsSecretRef"> {
  const administrator = administratorOf(server);
  return {
    authentication: authenticationMethod(server.spec).displayName,
    ...(administrator?.canLogIn && { adminCredentialsSecretRef: { name: administrator.secretName } }),
  };
}

/** The stores for the columns of kubectl. */
function stores({ server: { spec } }: StatusInput): MlflowServerStatus {
  return {
    backendStore: backendDatabase(spec).displayName,
    artifactStore: artifactStorageOf(spec).kind,
  };
}

/** What is not known to be over continues. */
function endpointProblem(input: StatusInput): MlflowServerStatus {
  const { status, reason } = endpointSecured.state(input) ?? {};
  const isOver = status === "True" || reason === "AuthenticationDisabled";
  const found = unsecuredReasons.find((each) => each === reason);
  const problem = found ?? (isOver ? undefined : input.before.endpointProblem);
  return problem === undefined ? {} : { endpointProblem: problem };
}

function version({ server, outcome, before }: StatusInput): MlflowServerStatus {
  const found = outcome.state === "ready" ? server.spec.version : before.version;
  return found === undefined ? {} : { version: found };
}

function migration({ outcome, before }: StatusInput): MlflowServerStatus {
  const record = outcome.migration === undefined ? before.migration : outcome.migration.record;
  return record === undefined ? {} : { migration: record };
}

/** The last rollout, by the revision that the Deployment controller gives each pod template. */
function rollout({ server, deployment, before }: StatusInput): MlflowServerStatus {
  if (deployment === undefined || !isControlledBy(deployment, server)) return {};
  const revision = deployment.metadata.annotations?.[revisionAnnotation];
  if (revision === undefined) return {};
  const wasComplete = before.rollout?.revision === revision && before.rollout.phase === "Complete";
  const phase = wasComplete || isRolledOut(deployment) ? "Complete" : "Started";
  return { rollout: { revision, phase } };
}

/** Without a decision about the change, such as with a missing Secret, it is reported as before. */
function upgrade({ outcome, before, now }: StatusInput): MlflowServerStatus {
  const { change, state, migration: decided } = outcome;
  const former = before.upgrade;
  if (change === undefined) return decided === undefined && former !== undefined ? { upgrade: former } : {};
  if (change.phase === "RollingOut" && state === "ready") return {};
  const isSame = former?.phase === change.phase && former.from === change.from && former.to === change.to;
  return { upgrade: { ...change, since: isSame ? former.since : now.toISOString() } };
}

/** It stays when `spec.restore` is removed: the databases are those of the backup. */
function restore({ outcome, before }: StatusInput): MlflowServerStatus {
  const record = before.restore ?? outcome.restore?.record;
  return record === undefined ? {} : { restore: record };
}

function replicaCounts({ deployment }: StatusInput): MlflowServerStatus {
  return { replicas: deployment?.status?.replicas ?? 0, readyReplicas: deployment?.status?.readyReplicas ?? 0 };
}

function workspaceCounts({ server, workspaces, before }: StatusInput): MlflowServerStatus {
  if (server.spec.workspaces === undefined) return {};
  if (workspaces === undefined || workspaces.isPartial)
    return before.workspaces ? { workspaces: before.workspaces } : {};
  return { workspaces: { ready: workspaces.ready, total: workspaces.total } };
}

function garbageCollection({ server, owned, before }: StatusInput): MlflowServerStatus {
  if (server.spec.garbageCollection === undefined) return {};
  const { times, collected } = lastCollection(owned, server);
  const deletedRuns = collected?.runs ?? before.garbageCollection?.deletedRuns;
  const found = { ...times, ...(deletedRuns !== undefined && { deletedRuns }) };
  return Object.keys(found).length === 0 ? {} : { garbageCollection: found };
}

/** Without a decision about the pods, such as with a missing Secret, they are reported as before. */
function rotations({ outcome, rotation, before }: StatusInput): MlflowServerStatus {
  const known = outcome.migration === undefined ? before.rotations : rotation?.records;
  return known === undefined || known.length === 0 ? {} : { rotations: [...known] };
}

function selector({ server }: StatusInput): MlflowServerStatus {
  const labels = Object.entries(podSelector(server)).map(([key, value]) => `${key}=${value}`);
  return { selector: labels.join(",") };
}

import type { MlflowServer } from "../api/server.ts";
import type { UpgradeRecord } from "../api/status.ts";
import { excerpt } from "../kube/excerpt.ts";
import type { Job, Pod } from "../kube/manifests.ts";
import { replicasOf } from "../model/replicas.ts";
import { isPaused } from "../reconcile/conditions/paused.ts";
import { conditionOf, unhealthyConditions } from "./live/conditions.ts";
import { type EventSummary, eventsOf, type LiveEvent } from "./live/events.ts";
import { type PodSummary, podSummaries } from "./live/pods.ts";
import { type Read, valueIn } from "./live/read.ts";

/** What `status` reads. */
export interface StatusFacts {
  readonly server: MlflowServer;
  readonly pods: Read<readonly Pod[]>;
  readonly jobs: Read<readonly Job[]>;
  readonly events: Read<readonly LiveEvent[]>;
}

/** The number of Events that are shown. */
const shownEvents = 5;

/** A server as `status` prints it; with `-o json` it is the output. */
export interface StatusView {
  readonly namespace: string;
  readonly name: string;
  readonly created: string | undefined;
  readonly state: "Deleting" | "Paused" | "Pending" | "Ready" | "Hibernated" | "Reconciling" | "Stalled" | "Unknown";
  readonly reason: string;
  /** What the server waits for, or why it does not run. */
  readonly message: string;
  readonly version: { readonly wanted: string; readonly current: string | undefined };
  readonly replicas: { readonly wanted: number; readonly current: number; readonly ready: number };
  readonly url: string | undefined;
  readonly serviceURL: string | undefined;
  readonly authentication: string | undefined;
  /** The Secret with the first password of the administrator. */
  readonly adminSecret: string | undefined;
  readonly database: string | undefined;
  readonly artifacts: string | undefined;
  readonly operator: string | undefined;
  readonly migration:
    | { readonly phase: string; readonly version: string; readonly job: string; readonly jobState: string | undefined }
    | undefined;
  /** The change of the version or the image that is in progress. */
  readonly upgrade: Pick<UpgradeRecord, "phase" | "from" | "to" | "waitingFor"> | undefined;
  readonly rollout: { readonly phase: string; readonly revision: string } | undefined;
  readonly workspaces: { readonly ready: number; readonly total: number; readonly grants: number } | undefined;
  /** The unhealthy conditions. */
  readonly conditions: readonly ConditionSummary[];
  readonly pods: readonly PodSummary[];
  readonly events: readonly EventSummary[];
  /** What could not be read, and why. */
  readonly notRead: readonly string[];
}

export interface ConditionSummary {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly since: string;
  readonly message: string;
  /** Whether the operator has not checked it for the current spec. */
  readonly isOutdated: boolean;
}

/** Returns what `status` shows of a server. Texts of other programs are on one line, without control characters. */
export function statusView({ server, pods, jobs, events }: StatusFacts): StatusView {
  const { metadata, spec, status = {} } = server;
  const { name, namespace } = metadata;
  const { migration, rollout, upgrade, workspaces } = status;
  return {
    namespace,
    name,
    created: metadata.creationTimestamp,
    ...stateOf(server),
    version: { wanted: spec.version, current: status.version },
    replicas: {
      wanted: replicasOf(spec),
      current: status.replicas ?? 0,
      ready: status.readyReplicas ?? 0,
    },
    url: status.url,
    serviceURL: status.serviceURL,
    authentication: status.authentication,
    adminSecret: status.adminCredentialsSecretRef?.name,
    database: status.backendStore,
    artifacts: status.artifactStore,
    operator: status.operator,
    migration: migration && {
      phase: migration.phase,
      version: migration.version,
      job: migration.job,
      jobState: jobState(valueIn(jobs)?.find((job) => job.metadata.name === migration.job)),
    },
    upgrade: upgrade && {
      phase: upgrade.phase,
      from: upgrade.from,
      to: upgrade.to,
      ...(upgrade.waitingFor !== undefined && { waitingFor: upgrade.waitingFor }),
    },
    rollout: rollout && { phase: rollout.phase, revision: rollout.revision },
    workspaces:
      spec.workspaces === undefined
        ? undefined
        : {
            ready: workspaces?.ready ?? 0,
            total: workspaces?.total ?? 0,
            grants: spec.workspaces.access?.length ?? 0,
          },
    conditions: unhealthyConditions(server).map(({ type, status: value, reason, ...condition }) => ({
      type,
      status: value,
      reason,
      since: condition.lastTransitionTime,
      message: excerpt(condition.message, 2000),
      isOutdated: condition.observedGeneration < (metadata.generation ?? 0),
    })),
    pods: podSummaries(valueIn(pods) ?? []),
    events: eventsOf(valueIn(events) ?? [], { namespace, name }).slice(0, shownEvents),
    notRead: [pods, jobs, events].flatMap((read) => ("notRead" in read ? [read.notRead] : [])),
  };
}

/** The state of a server, and the message of the condition with the cause. */
function stateOf(server: MlflowServer): Pick<StatusView, "state" | "reason" | "message"> {
  const { metadata, status } = server;
  const ready = conditionOf(server, "Ready");
  const isTrue = (type: string) => conditionOf(server, type)?.status === "True";
  const because = { reason: ready?.reason ?? "Pending", message: excerpt(ready?.message, 2000) };
  if (metadata.deletionTimestamp !== undefined)
    return { state: "Deleting", reason: "Deleted", message: "The server is being deleted." };
  if (isPaused({ metadata })) return { state: "Paused", ...because };
  const generation = metadata.generation ?? 0;
  if (ready === undefined || status?.observedGeneration === undefined) {
    const message =
      because.message || "No operator has reported on the server. Check that one runs and watches its namespace.";
    return { state: "Pending", reason: because.reason, message };
  }
  if (status.observedGeneration < generation) {
    const message = `The operator has reported on generation ${status.observedGeneration} of the spec, which is now ${generation}.`;
    return { state: "Reconciling", reason: because.reason, message };
  }
  if (isTrue("Stalled")) return { state: "Stalled", ...because };
  if (ready.status === "Unknown") return { state: "Unknown", ...because };
  if (ready.status === "True") return { state: ready.reason === "Hibernated" ? "Hibernated" : "Ready", ...because };
  return { state: "Reconciling", ...because };
}

function jobState(job: Job | undefined): string | undefined {
  if (job === undefined) return undefined;
  const { active = 0, failed = 0, conditions = [] } = job.status ?? {};
  const ended = conditions.find(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
  if (ended !== undefined) return ended.type;
  if (job.spec.suspend === true) return "Suspended";
  return `${active > 0 ? "Running" : "Waiting"}${failed > 0 ? `, ${failed} failed` : ""}`;
}

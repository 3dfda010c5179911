import { annotation } from "../kube/names.ts";
import type { Upgrade } from "../model/inputs.ts";
import type { Cause } from "./cause.ts";
import { secondsSince } from "./problem.ts";
import type { UpgradeMarker } from "./upgrade-marker.ts";

/** The state of a server that an upgrade of other servers depends on. Deleted, paused and otherwise managed servers are not members. */
export interface UpgradeMember {
  readonly namespace: string;
  readonly name: string;
  readonly marker?: UpgradeMarker | undefined;
  /** All pods are ready and of the latest pod template of the Deployment. */
  readonly isComplete: boolean;
  /** As `isComplete`, and a change of the pod template would show whether they become ready again. */
  readonly isCanary: boolean;
  /** It is reported as Stalled. */
  readonly isStalled: boolean;
  /** Time at which it was first reported as waiting; undefined if it does not wait. */
  readonly waitingSince?: string | undefined;
  /** This process is writing the marker now. */
  readonly isStarting: boolean;
}

export type UpgradeDecision = { readonly mayStart: true } | ({ readonly mayStart: false } & Waiting);

/** Why the pods of a server keep their previous template. */
export interface Waiting {
  readonly cause: Cause;
  readonly againInSeconds: number;
}

/** Seconds for which a server that is not the canary waits for others to report that they wait. */
const canaryWaitSeconds = 15;
/** Seconds after which a stalled server, and any server, that was not ready before the change no longer counts as updating. */
const reportSeconds = 60;
const unreadySeconds = 900;
/** Seconds for which a server that another revision changed counts as updating. */
const formerSeconds = 3600;

/**
 * Decides from the state of all servers whether an upgrade of the operator can change the pods of a server now:
 * - while a server that was ready before is not ready after the change and is stalled, no further one is changed;
 * - until one server is ready after the change, one is changed at a time, and such a one as can show that it works;
 * - then at most `concurrency` are changed at the same time.
 */
export function decideUpgrade(
  server: Pick<UpgradeMember, "namespace" | "name">,
  members: readonly UpgradeMember[],
  { revision, concurrency }: Upgrade,
  now: Date,
): UpgradeDecision {
  const isSelf = (member: UpgradeMember) => member.namespace === server.namespace && member.name === server.name;
  const self = members.find(isSelf);
  const others = members.filter((member) => !isSelf(member));
  const failed = others.filter((member) => hasFailed(member, revision)).sort(byName);
  if (failed.length > 0) {
    const known = failed.find(({ namespace }) => namespace === server.namespace);
    return mustWait("UpgradeStopped", known === undefined ? stoppedElsewhere : stoppedBy(known), 15);
  }
  const active = others.filter((member) => isActive(member, revision, now)).length;
  const hasSucceeded = others.some((member) => member.marker?.revision === revision && isDone(member));
  if (hasSucceeded) {
    return active < concurrency ? start : mustWait("UpgradeWaiting", inTurn(concurrency), 2);
  }
  if (active > 0) return mustWait("UpgradeWaiting", first(concurrency), 2);
  if (self?.isCanary) return start;
  const isPreceded = others.some(({ isCanary, waitingSince }) => isCanary && waitingSince !== undefined);
  const isNew = secondsSince(self?.waitingSince, now) < canaryWaitSeconds;
  return isPreceded || isNew ? mustWait("UpgradeWaiting", first(concurrency), 2) : start;
}

/** Whether the server was ready before the change and is stalled since. */
export function hasFailed(member: UpgradeMember, revision: string): boolean {
  const { marker, isStalled } = member;
  return marker?.revision === revision && marker.wasReady && isStalled && !isDone(member);
}

/** Whether an upgrade has changed the server, and it is ready. */
function isDone({ marker, isComplete }: UpgradeMember): boolean {
  return marker?.phase === "Applied" && isComplete;
}

/** Whether an upgrade is changing the server. */
export function isActive(member: UpgradeMember, revision: string, now: Date): boolean {
  const { marker, isStarting, isStalled } = member;
  if (isStarting) return true;
  if (marker === undefined || isDone(member)) return false;
  const seconds = secondsSince(marker.startTime, now);
  if (marker.revision !== revision && seconds >= formerSeconds) return false;
  if (marker.wasReady) return !isStalled;
  return seconds < (isStalled ? reportSeconds : unreadySeconds);
}

/** Number of servers in each state of an upgrade. */
export type UpgradeCounts = Readonly<Record<"waiting" | "updating" | "failed", number>>;

export function upgradeCounts(members: readonly UpgradeMember[], revision: string, now: Date): UpgradeCounts {
  const count = (is: (member: UpgradeMember) => boolean) => members.filter(is).length;
  return {
    waiting: count(({ waitingSince }) => waitingSince !== undefined),
    updating: count((member) => isActive(member, revision, now)),
    failed: count((member) => hasFailed(member, revision)),
  };
}

const start: UpgradeDecision = { mayStart: true };

function mustWait(reason: Cause["reason"], message: string, againInSeconds: number): UpgradeDecision {
  return { mayStart: false, cause: { reason, message }, againInSeconds };
}

const what =
  "This version of the operator, or its settings, change the pods of the server. They keep running as they are";

/** Neither names a server, so that the status of waiting servers does not change with each update. */
const first = (concurrency: number) =>
  `${what}, until one other server is ready after this change. Then at most ${concurrency} servers are changed at the same time. No action required.`;
const inTurn = (concurrency: number) =>
  `${what}, until it is their turn: at most ${concurrency} servers are changed at the same time. No action required.`;
const stoppedBy = ({ namespace, name }: UpgradeMember) =>
  `${what}, since MlflowServer ${name} in namespace ${namespace} was changed and did not become ready: kubectl describe mlflowserver ${name} -n ${namespace}. Repair or delete it, install the previous version or settings of the operator, or leave it out: kubectl annotate mlflowserver ${name} -n ${namespace} ${annotation.paused}=true`;
/** Does not name servers and namespaces that users of a namespace cannot list. */
const stoppedElsewhere = `${what}, since an MlflowServer in another namespace was changed and did not become ready. A cluster administrator finds it with the metric mlflow_operator_server_state{state="stalled"} or by kubectl get mlflowservers -A, and repairs it, leaves it out or installs the previous version of the operator.`;

function byName(a: UpgradeMember, b: UpgradeMember): number {
  const [first, second] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`];
  return first < second ? -1 : first > second ? 1 : 0;
}

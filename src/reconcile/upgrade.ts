import { annotation } from "../kube/names.ts";
import type { Upgrade } from "../resources/inputs.ts";
import type { Cause } from "./finding.ts";
import { secondsSince } from "./problem.ts";
import type { UpgradeMarker } from "./upgrade-marker.ts";

/** What of a server matters to the upgrade of others. Servers that are deleted, paused or managed by another operator do not. */
export interface UpgradeMember {
  readonly namespace: string;
  readonly name: string;
  readonly marker?: UpgradeMarker | undefined;
  /** All pods are ready and of the latest pod template of the Deployment. */
  readonly isComplete: boolean;
  /** As `isComplete`, and a change of the pod template would show whether they become ready again. */
  readonly isProbative: boolean;
  /** It is reported as Stalled. */
  readonly isStalled: boolean;
  /** When it was first reported that it waits for its turn; undefined where it does not wait. */
  readonly waitingSince?: string | undefined;
  /** This process is writing the marker now. */
  readonly isStarting: boolean;
}

export type Verdict = { readonly mayStart: true } | ({ readonly mayStart: false } & Waiting);

/** Why the pods of a server keep their former template. */
export interface Waiting {
  readonly cause: Cause;
  readonly againInSeconds: number;
}

/** So long a server that proves nothing leaves the first turn to others, which may not have reported yet that they wait. */
const deferenceSeconds = 15;
/** So long a server that was not ready before is given to report why, and so long in all it counts as being changed. */
const reportSeconds = 60;
const unreadySeconds = 900;
/** So long a server that another revision has changed counts as being changed. */
const formerSeconds = 3600;

/**
 * Decides whether an upgrade of the operator may change the pods of a server now, from what the cluster says of all servers:
 * - while a server that was ready before is not ready after the change and needs a person, no further one is changed;
 * - until one server is ready after the change, one is changed at a time, and such a one as can show that it works;
 * - then at most `concurrency` are changed at the same time.
 */
export function verdict(
  server: Pick<UpgradeMember, "namespace" | "name">,
  members: readonly UpgradeMember[],
  { revision, concurrency }: Upgrade,
  now: Date,
): Verdict {
  const isSelf = (member: UpgradeMember) => member.namespace === server.namespace && member.name === server.name;
  const self = members.find(isSelf);
  const others = members.filter((member) => !isSelf(member));
  const failed = others.filter((member) => hasFailed(member, revision)).sort(byName);
  if (failed.length > 0) {
    const known = failed.find(({ namespace }) => namespace === server.namespace);
    return wait("UpgradeStopped", known === undefined ? stoppedElsewhere : stoppedBy(known), 15);
  }
  const active = others.filter((member) => isActive(member, revision, now)).length;
  const isProven = others.some((member) => member.marker?.revision === revision && isDone(member));
  if (isProven) {
    return active < concurrency ? go : wait("UpgradeWaiting", inTurn(concurrency), 2);
  }
  if (active > 0) return wait("UpgradeWaiting", first(concurrency), 2);
  if (self?.isProbative) return go;
  const isPreceded = others.some(({ isProbative, waitingSince }) => isProbative && waitingSince !== undefined);
  const isNew = secondsSince(self?.waitingSince, now) < deferenceSeconds;
  return isPreceded || isNew ? wait("UpgradeWaiting", first(concurrency), 2) : go;
}

/** The change is what keeps the server from being ready, as far as anyone can tell. */
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

/** Of an upgrade, how many servers are in each state. */
export type UpgradeCounts = Readonly<Record<"waiting" | "updating" | "failed", number>>;

export function upgradeCounts(members: readonly UpgradeMember[], revision: string, now: Date): UpgradeCounts {
  const count = (is: (member: UpgradeMember) => boolean) => members.filter(is).length;
  return {
    waiting: count(({ waitingSince }) => waitingSince !== undefined),
    updating: count((member) => isActive(member, revision, now)),
    failed: count((member) => hasFailed(member, revision)),
  };
}

const go: Verdict = { mayStart: true };

function wait(reason: Cause["reason"], message: string, againInSeconds: number): Verdict {
  return { mayStart: false, cause: { reason, message }, againInSeconds };
}

const what =
  "This version of the operator, or its settings, change the pods of the server. They keep running as they are";

/** Neither names a server, so that the status of those that wait does not change with each that is changed. */
const first = (concurrency: number) =>
  `${what}, until one other server is ready after this change. Then at most ${concurrency} servers are changed at the same time. No action required.`;
const inTurn = (concurrency: number) =>
  `${what}, until it is their turn: at most ${concurrency} servers are changed at the same time. No action required.`;
const stoppedBy = ({ namespace, name }: UpgradeMember) =>
  `${what}, since MlflowServer ${name} in namespace ${namespace} was changed and did not become ready: kubectl describe mlflowserver ${name} -n ${namespace}. Repair or delete it, install the former version or settings of the operator, or leave it out: kubectl annotate mlflowserver ${name} -n ${namespace} ${annotation.paused}=true`;
/** Users of a namespace are not told the names of servers and of namespaces that they cannot list. */
const stoppedElsewhere = `${what}, since an MlflowServer in another namespace was changed and did not become ready. A cluster administrator finds it by the metric mlflow_operator_server_state{state="stalled"} or by kubectl get mlflowservers -A, and repairs it, leaves it out or installs the former version of the operator.`;

function byName(a: UpgradeMember, b: UpgradeMember): number {
  const [first, second] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`];
  return first < second ? -1 : first > second ? 1 : 0;
}

import { isReason } from "../api/reasons.ts";
import type { MlflowServer } from "../api/server.ts";
import type { Deployment, Manifest } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";
import { withAppliedFieldsHash } from "../resources/applied-fields-hash.ts";
import { renderingIn } from "../resources/rendering.ts";
import { isPaused } from "./conditions/paused.ts";
import { difference } from "./difference.ts";
import type { Migration } from "./migration.ts";
import type { ObservedState } from "./observed-state.ts";
import { decideUpgrade, type UpgradeDecision, type UpgradeMember } from "./upgrade.ts";
import { markerIn, markerText } from "./upgrade-marker.ts";

/**
 * What makes the pods of a server differ from those that are desired: only drift; a user, who has changed the spec or what
 * it refers to; or another version or other settings of the operator. `started` is the latter, once the upgrade may change the server.
 */
export type Change = "none" | "user" | "operator" | "started";

/** Compares the recorded rendering of the Deployment or, without a record, the pod templates. */
export function changeOf(wanted: Deployment, live: Deployment, isDifferent: () => boolean): Change {
  const [now, before] = [renderingIn(wanted), renderingIn(live)];
  const isUnchanged = before === undefined ? !isDifferent() : before.workload === now?.workload;
  if (isUnchanged) return "none";
  if (before !== undefined && before.inputs !== now?.inputs) return "user";
  return markerIn(live)?.phase === "Started" ? "started" : "operator";
}

/** The upgrade of the operator that a reconciliation executes or waits for. */
export interface StagedUpgrade {
  readonly change: Change;
  /** The desired Deployment of the server, with the marker of the upgrade that made it so. */
  readonly wanted: Deployment;
  readonly live: Deployment;
}

/** Undefined if nothing is staged: the server has no Deployment yet, or the operator has no upgrade settings. */
export function stagedUpgrade(
  wanted: readonly Manifest[],
  live: Deployment | undefined,
  { owned, installation }: Pick<ObservedState, "owned" | "installation">,
): StagedUpgrade | undefined {
  const own = wanted.find((each): each is Deployment => each.kind === "Deployment" && isSame(each, live));
  if (live === undefined || own === undefined || installation.upgrade === undefined) return undefined;
  const isDifferent = () =>
    wanted.some((manifest) => {
      if (manifest.kind !== "Deployment") return false;
      const peer = owned.find((each): each is Deployment => each.kind === "Deployment" && isSame(each, manifest));
      return peer !== undefined && difference(manifest.spec.template, peer.spec.template) !== undefined;
    });
  const change = changeOf(own, live, isDifferent);
  const marker = markerIn(live);
  const { revision } = installation.upgrade;
  if (change === "started" && marker !== undefined) {
    const text = markerText({ ...marker, revision, phase: "Applied" });
    return { change, wanted: marked(own, text), live };
  }
  const isKept = change === "none" && marker?.phase === "Applied" && hasSameInputs(own, live);
  return { change, wanted: isKept ? marked(own, markerText(marker)) : own, live };
}

function hasSameInputs(wanted: Deployment, live: Deployment): boolean {
  const before = renderingIn(live);
  return before === undefined || before.inputs === renderingIn(wanted)?.inputs;
}

function isSame(a: Deployment, b: Deployment | undefined): boolean {
  return a.metadata.name === b?.metadata.name;
}

function marked(manifest: Deployment, marker: string): Deployment {
  const { [annotation.appliedFieldsHash]: _, ...annotations } = manifest.metadata.annotations ?? {};
  const metadata = { ...manifest.metadata, annotations: { ...annotations, [annotation.upgrade]: marker } };
  return withAppliedFieldsHash({ ...manifest, metadata });
}

/** A paused server is not changed. The end of the pause starts a reconciliation. */
const pausedTurn: UpgradeDecision = {
  mayStart: false,
  cause: { reason: "UpgradeWaiting", message: "The server is paused." },
  againInSeconds: 3600,
};

/** Whether this server can be updated now. Evaluated again immediately before the write. */
export function upgradeDecision({ server, upgradeMembers, installation, now }: ObservedState): UpgradeDecision {
  const { namespace, name } = server.metadata;
  const { upgrade } = installation;
  if (isPaused(server)) return pausedTurn;
  if (upgrade === undefined || upgradeMembers === undefined) return { mayStart: true };
  return decideUpgrade({ namespace, name }, upgradeMembers(), upgrade, now);
}

/** The marker of an upgrade that starts now. */
export function startMarker({ server, upgradeMembers, installation, now }: ObservedState): string {
  const isSelf = (member: UpgradeMember) =>
    member.name === server.metadata.name && member.namespace === server.metadata.namespace;
  const wasReady = upgradeMembers?.().find(isSelf)?.isCanary === true;
  const revision = installation.upgrade?.revision ?? "";
  return markerText({ revision, phase: "Started", startTime: now.toISOString(), wasReady });
}

/** The last reported state of the database: while the pods are not changed, the schema that they need is the same. */
export function knownMigration({ status }: MlflowServer): Migration {
  const found = status?.conditions?.find(({ type }) => type === "DatabaseReady");
  const cause =
    found !== undefined && isReason(found.reason)
      ? { reason: found.reason, message: found.message }
      : ({ reason: "NotChecked", message: "The database has not been checked yet." } as const);
  return { complete: found?.status === "True", remove: [], cause, stalled: false, record: status?.migration };
}

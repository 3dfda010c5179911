import { createHash } from "node:crypto";
import type { UpgradeRecord } from "../api/status.ts";
import type { Deployment } from "../kube/manifests.ts";
import { annotation } from "../kube/names.ts";
import { serverContainer } from "../resources/deployment.ts";
import type { Migration } from "./migration.ts";
import type { ObservedState } from "./observed-state.ts";
import { versionIn } from "./server-workload.ts";

/** A change of the version or the image that pods do not have yet. */
export interface VersionChange {
  /** The versions, or the images where the version stays. */
  readonly from: string;
  readonly to: string;
  readonly fromVersion: string;
  readonly toVersion: string;
  readonly toImage: string;
  /** The value of the annotation that approves this change: no other version, image, database or bucket. */
  readonly approval: string;
}

/** The progress of a change, without the time. */
export type VersionProgress = Omit<UpgradeRecord, "since">;

/** Compares the wanted Deployment with the live one. Undefined if there is none yet, or version and image stay. */
export function versionChangeOf(
  wanted: Deployment | undefined,
  live: Deployment | undefined,
): VersionChange | undefined {
  if (wanted === undefined || live === undefined) return undefined;
  const [fromVersion, toVersion] = [shownVersion(live), shownVersion(wanted)];
  const [from, to] = [migrationIn(live), migrationIn(wanted)];
  const toImage = imageIn(wanted);
  const approval = approvalOf(toVersion, [from, to, toImage]);
  const change = { fromVersion, toVersion, toImage, approval };
  // Its name has a hash of version and image. A webhook can have changed the image of the live Deployment.
  if (to !== undefined && from === to) return undefined;
  if (fromVersion !== toVersion) return { from: fromVersion, to: toVersion, ...change };
  const fromImage = imageIn(live);
  return to === undefined || fromImage === toImage ? undefined : { from: fromImage, to: toImage, ...change };
}

/** Readable, and another value for another change. */
function approvalOf(version: string, identity: readonly (string | undefined)[]): string {
  const hash = createHash("sha256").update(JSON.stringify([version, ...identity.map((each) => each ?? "")]));
  return `${version}-${hash.digest("hex").slice(0, 10)}`;
}

/** The change that pods are being replaced for: it has begun, and the Deployment has the new version. */
export function rollingOut(
  { server: { status } }: Pick<ObservedState, "server">,
  wanted: Deployment | undefined,
): VersionProgress | undefined {
  const { upgrade } = status ?? {};
  if (upgrade === undefined || wanted === undefined) return undefined;
  if (upgrade.to !== shownVersion(wanted) && upgrade.to !== imageIn(wanted)) return undefined;
  return rollout(upgrade);
}

/** The progress of a change that waits for no further step before its migration. */
export function migrating(change: VersionChange, { complete }: Migration, job: string | undefined): VersionProgress {
  if (complete) return rollout(change);
  const { from, to } = change;
  return { phase: "Migrating", from, to, ...(job !== undefined && { waitingFor: `Job/${job}` }) };
}

function rollout({ from, to }: Pick<VersionChange, "from" | "to">): VersionProgress {
  return { phase: "RollingOut", from, to, waitingFor: "pods of the new version" };
}

function shownVersion(deployment: Deployment): string {
  return versionIn(deployment) ?? "unknown";
}

function imageIn({ spec }: Deployment): string {
  return spec.template.spec?.containers.find(({ name }) => name === serverContainer)?.image ?? "unknown";
}

/** Returns the migration Job of the pods of a Deployment. */
export function migrationIn({ metadata }: Deployment): string | undefined {
  return metadata.annotations?.[annotation.migration];
}

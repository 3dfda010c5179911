import type { MlflowBackup } from "../api/backup.ts";
import type { MlflowServer } from "../api/server.ts";
import type { ServerModel } from "../features/server-model.ts";
import type { Manifest, Owned } from "../kube/manifests.ts";
import type { Installation, References } from "../model/inputs.ts";
import type { Cause } from "./cause.ts";
import type { RepeatedConflict } from "./cluster.ts";
import type { EndpointResults } from "./endpoint-checks.ts";
import type { Exposure } from "./exposure.ts";
import type { LostSecret } from "./lost-secrets.ts";
import type { Mesh } from "./mesh.ts";
import type { RotationStep } from "./rotation/rotation.ts";
import type { UpgradeMember } from "./upgrade.ts";
import type { UpgradeBackupInputs } from "./upgrade-backup.ts";
import type { Warnings } from "./warnings.ts";
import type { WorkspaceSummary } from "./workspace/summary.ts";

/** The backup of `spec.restore`. */
export interface RestoreSource {
  /** Undefined if it does not exist. */
  readonly backup: MlflowBackup | undefined;
  readonly missing: readonly Cause[];
}

/** The observed state of a reconciliation. Everything after `observe` is a pure function of it. */
export interface ObservedState {
  readonly server: MlflowServer;
  /** Objects that the operator applied for this server or a previous one of its name, and their pods. */
  readonly owned: readonly Owned[];
  /** Unmanaged objects with the operator's labels, which are never changed. */
  readonly unmanaged: readonly Owned[];
  /** The condition `MeshReady`; undefined if the spec has no mesh. */
  readonly mesh?: Mesh["condition"];
  /** The results of the probes of its endpoints, undefined until there are any; no field while no pod is ready. */
  readonly endpoints?: { readonly results: EndpointResults | undefined };
  /** Whether routes stay, the addresses, and the condition `Exposed`. */
  readonly exposure?: Omit<Exposure, "routes">;
  readonly references: References;
  /** The rotations of credentials; the model has the content of their next step. Default: none. */
  readonly rotation?: Omit<RotationStep, "inputs">;
  readonly model: ServerModel;
  readonly installation: Installation;
  /** Whether applying this manifest to this version of the object is known to change nothing. */
  readonly isMutatedByAdmission: (manifest: Manifest, live: Owned) => boolean;
  /** A repeated conflict with another client, because of which a write must wait; default: none. */
  readonly repeatedConflict?: (manifest: Manifest, path: string) => RepeatedConflict | undefined;
  /** Generated Secrets that the server used and that are missing; default: none. */
  readonly lostSecrets?: readonly LostSecret[];
  /** For the backup before a change of the version; undefined if there is none. */
  readonly upgradeBackup?: UpgradeBackupInputs | undefined;
  /** The state of the workspaces; undefined until it is known. */
  readonly workspaces?: WorkspaceSummary | undefined;
  /** Objects of this server in workspaces. */
  readonly granted: readonly Owned[];
  /** Warning events about objects without progress. */
  readonly warnings?: Warnings;
  /** What of all servers matters to an upgrade of the operator, as it is known at the time of the call; default: nothing. */
  readonly upgradeMembers?: () => readonly UpgradeMember[];
  /** The backup that is restored first, and its missing Secrets; no field without a restore, or when it is done. */
  readonly restore?: RestoreSource;
  /** The Job or the pod that writes a backup of the server now. */
  readonly runningBackup?: Owned | undefined;
  readonly now: Date;
}

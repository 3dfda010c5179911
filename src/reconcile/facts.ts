import type { MlflowServer } from "../api/server.ts";
import type { Manifest, Owned } from "../kube/manifests.ts";
import type { Inputs, Installation, References } from "../resources/inputs.ts";
import type { RepeatedConflict } from "./cluster.ts";
import type { Exposure } from "./exposure.ts";
import type { LostSecret } from "./lost-secrets.ts";
import type { Mesh } from "./mesh.ts";
import type { Warnings } from "./warnings.ts";
import type { WorkspaceSummary } from "./workspace/summary.ts";

/** All that a pass knows. Everything after `observe` is a pure function of this. */
export interface Facts {
  readonly server: MlflowServer;
  /** What we wrote for this server or a former one of its name, and the pods that came of it. */
  readonly owned: readonly Owned[];
  /** What only carries our labels: somebody else's, never touched. */
  readonly foreign: readonly Owned[];
  /** What the condition `MeshReady` says; undefined where the spec has no mesh. */
  readonly mesh?: Mesh["finding"];
  /** Whether what leads to it from outside stays, which addresses it has, and what the condition `Exposed` says. */
  readonly exposure?: Omit<Exposure, "routes">;
  readonly references: References;
  readonly inputs: Inputs;
  readonly installation: Installation;
  /** Whether applying this manifest to this version of the object is known to change nothing. */
  readonly isMutatedByAdmission: (manifest: Manifest, live: Owned) => boolean;
  /** Another client's repeatedConflict of a write, which has to wait for its sake; default: none. */
  readonly repeatedConflict?: (manifest: Manifest, path: string) => RepeatedConflict | undefined;
  /** Generated Secrets that the server used and that are gone; default: none. */
  readonly lostSecrets?: readonly LostSecret[];
  /** How the workspaces are; undefined where that is not known yet. */
  readonly workspaces?: WorkspaceSummary | undefined;
  /** What is in workspaces because of this server. */
  readonly granted: readonly Owned[];
  /** What events say of objects that get no further. */
  readonly warnings?: Warnings;
  readonly now: Date;
}

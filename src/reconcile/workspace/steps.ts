import { difference, isOtherRole } from "../difference.ts";
import type { WorkspaceCluster, WorkspaceObject } from "./workspace-cluster.ts";

/** One write in a workspace. */
export type WorkspaceStep =
  | { readonly do: "create"; readonly manifest: WorkspaceObject }
  | { readonly do: "patch"; readonly manifest: WorkspaceObject; readonly live: WorkspaceObject }
  | { readonly do: "delete"; readonly live: WorkspaceObject };

/** The writes after which a workspace has exactly the desired objects of the operator. */
export function stepsFor(
  wanted: readonly WorkspaceObject[],
  granted: readonly WorkspaceObject[],
  isMutatedByAdmission: WorkspaceCluster["isMutatedByAdmission"],
): WorkspaceStep[] {
  const missing = wanted.flatMap((manifest): WorkspaceStep[] => {
    const live = granted.find((each) => isSame(each, manifest));
    if (live === undefined) return [{ do: "create", manifest }];
    if (live.metadata.deletionTimestamp !== undefined) return [];
    if (isOtherRole(live, manifest)) return [{ do: "delete", live }];
    if (difference(manifest, live) === undefined || isMutatedByAdmission(manifest, live)) return [];
    return [{ do: "patch", manifest, live }];
  });
  const obsolete = granted
    .filter((live) => live.metadata.deletionTimestamp === undefined && !wanted.some((each) => isSame(live, each)))
    .map((live): WorkspaceStep => ({ do: "delete", live }));
  return [...obsolete, ...missing];
}

function isSame(a: WorkspaceObject, b: WorkspaceObject): boolean {
  return a.kind === b.kind && a.metadata.name === b.metadata.name;
}

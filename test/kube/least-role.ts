import { allows, type WorkspaceRole } from "../../src/kube/workspace-roles.ts";

/** One access review of MLflow's plugin. */
export interface Check {
  readonly resource: string;
  readonly verb: string;
  /** Only reviewed if the request names such an object. */
  readonly optional?: true;
}

/** The roles in ascending order: each has the permissions of the one before it. */
export const ladder = ["Viewer", "Editor", "Admin"] as const;
export type Least = (typeof ladder)[number] | "none";

/** The least role that must pass a check: to read, write, delete, or use model providers. */
function leastFor({ resource, verb }: Check): Least {
  if (resource === "assistants") return "none";
  if (resource === "gatewayendpoints/use") return "Editor";
  if (resource.startsWith("gatewaysecrets") || resource.endsWith("/use")) return "Admin";
  if (verb === "get" || verb === "list") return "Viewer";
  return verb === "delete" || resource.startsWith("gateway") ? "Admin" : "Editor";
}

/** The least role that must pass all of these checks. */
export function leastOf(checks: readonly Check[]): Least {
  const order: readonly Least[] = [...ladder, "none"];
  return order[Math.max(...checks.map((check) => order.indexOf(leastFor(check))))] ?? "none";
}

/** Whether the ClusterRole of a role passes all checks. */
export const permits = (role: WorkspaceRole, checks: readonly Check[]) =>
  checks.every(({ verb, resource }) => allows(role, verb, resource));

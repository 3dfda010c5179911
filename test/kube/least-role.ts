import { allows, type WorkspaceRole } from "../../src/kube/workspace-roles.ts";

/** One question of MLflow's plugin to the API server. */
export interface Check {
  readonly resource: string;
  readonly verb: string;
  /** Asked only where the request names such an object. */
  readonly optional?: true;
}

/** The roles of which each may all that the one before it may. */
export const ladder = ["Viewer", "Editor", "Admin"] as const;
export type Least = (typeof ladder)[number] | "nobody";

/** Who shall be the least to do what a check stands for: reading, working, deleting, and the ways to model providers. */
function leastFor({ resource, verb }: Check): Least {
  if (resource === "assistants") return "nobody";
  if (resource === "gatewayendpoints/use") return "Editor";
  if (resource.startsWith("gatewaysecrets") || resource.endsWith("/use")) return "Admin";
  if (verb === "get" || verb === "list") return "Viewer";
  return verb === "delete" || resource.startsWith("gateway") ? "Admin" : "Editor";
}

/** Who shall be the least to do what all of these checks stand for. */
export function leastOf(checks: readonly Check[]): Least {
  const order: readonly Least[] = [...ladder, "nobody"];
  return order[Math.max(...checks.map((check) => order.indexOf(leastFor(check))))] ?? "nobody";
}

/** Whether the ClusterRole of a role allows all that is asked. */
export const permits = (role: WorkspaceRole, checks: readonly Check[]) =>
  checks.every(({ verb, resource }) => allows(role, verb, resource));

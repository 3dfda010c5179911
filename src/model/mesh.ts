import { choice } from "../api/choose.ts";
import type { MlflowServer } from "../api/server.ts";

/**
 * The steps that enrol a server in the mesh, by mode, in the order in which they are enabled; they are disabled in reverse. The
 * first step is the pods' labels. In ambient mode traffic uses the waypoint only when its policy exists, and
 * direct traffic is denied only when traffic uses the waypoint; the sidecar policy exists only when each pod has a sidecar.
 */
export const meshSteps = {
  Ambient: ["ambient", "waypoint", "traces", "binding", "allowFromWaypoint", "denyBypass"],
  Sidecar: ["sidecar", "inbound"],
} as const;

/**
 * The steps of the listener for traces, where the mesh identity is the only credential: first the policies that allow only the
 * writers, then the Deployment, which is removed if a check of the mesh fails.
 */
const listenerSteps = ["writers", "listener"] as const;

export type MeshMode = keyof typeof meshSteps;

export type MeshStep = (typeof meshSteps)[MeshMode][number] | (typeof listenerSteps)[number];

/** Returns all steps for the spec; none without a mesh. */
export function meshStepsOf(server: Pick<MlflowServer, "spec">): readonly MeshStep[] {
  const { mesh } = server.spec;
  if (mesh === undefined) return [];
  return [...choice(mesh.istio.mode, "spec.mesh.istio.mode", meshSteps), ...(hasListener(server) ? listenerSteps : [])];
}

/** Whether the server has a listener for traces; not with an empty list of writers. */
export function hasListener({ spec }: Pick<MlflowServer, "spec">): boolean {
  if (spec.mesh === undefined || spec.traces === undefined) return false;
  const { identity = "Application", writers } = spec.traces;
  return choice(identity, "spec.traces.identity", { Application: false, Mesh: writers.length > 0 });
}

const ambient = { "istio.io/dataplane-mode": "ambient" } as const;

/** Without the second label a pod in a namespace in ambient mode would be in both modes. */
const sidecar = { "sidecar.istio.io/inject": "true", "istio.io/dataplane-mode": "none" } as const;

/** Returns the pod labels that enrol pods in the mesh; the operator does not change labels of the namespace. */
export function enrolmentLabels(mesh: ReadonlySet<MeshStep>): Readonly<Record<string, string>> {
  if (mesh.has("ambient")) return ambient;
  return mesh.has("sidecar") ? sidecar : {};
}

/** Returns the mesh step of pods with these labels. */
export function enrolmentOf(labels: Readonly<Record<string, string>> = {}): MeshStep | undefined {
  if (labels["istio.io/dataplane-mode"] === "ambient") return "ambient";
  return labels["sidecar.istio.io/inject"] === "true" ? "sidecar" : undefined;
}

/**
 * Returns the annotation of a pod in the mesh: istio-cni sets it when traffic of a pod in ambient mode is redirected,
 * the webhook when it injects a sidecar. An empty value matches any.
 */
export function enrolmentAnnotation(mesh: ReadonlySet<MeshStep>): { readonly key: string; readonly value: string } {
  if (mesh.has("sidecar")) return { key: "sidecar.istio.io/status", value: "" };
  return { key: "ambient.istio.io/redirection", value: "enabled" };
}

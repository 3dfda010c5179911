import type { MeshStep } from "./mesh-steps.ts";

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

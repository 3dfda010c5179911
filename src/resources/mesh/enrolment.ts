import type { MeshStep } from "./steps.ts";

const ambient = { "istio.io/dataplane-mode": "ambient" } as const;

/** Without the second label a pod would be in both modes where its namespace is in ambient mode. */
const sidecar = { "sidecar.istio.io/inject": "true", "istio.io/dataplane-mode": "none" } as const;

/** Labels of the pods: the least that puts them into the mesh; the namespace's label is its administrators'. */
export function enrolmentLabels(mesh: ReadonlySet<MeshStep>): Readonly<Record<string, string>> {
  if (mesh.has("ambient")) return ambient;
  return mesh.has("sidecar") ? sidecar : {};
}

/** The step that pods with these labels have taken. */
export function enrolmentOf(labels: Readonly<Record<string, string>> = {}): MeshStep | undefined {
  if (labels["istio.io/dataplane-mode"] === "ambient") return "ambient";
  return labels["sidecar.istio.io/inject"] === "true" ? "sidecar" : undefined;
}

/**
 * By which annotation a pod says that it is in the mesh: istio-cni writes it when a pod in ambient mode has been redirected,
 * the webhook when it has put a sidecar in. An empty value stands for any.
 */
export function enrolmentAnnotation(mesh: ReadonlySet<MeshStep>): { readonly key: string; readonly value: string } {
  if (mesh.has("sidecar")) return { key: "sidecar.istio.io/status", value: "" };
  return { key: "ambient.istio.io/redirection", value: "enabled" };
}

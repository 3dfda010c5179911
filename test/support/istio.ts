import type { MlflowServer } from "../../src/api/server.ts";
import type {
  AuthorizationPolicy,
  Deployment,
  Gateway,
  Manifest,
  Owned,
  Pod,
  ReportedCondition,
  Service,
} from "../../src/kube/manifests.ts";
import { enrolmentLabels, type MeshMode, meshSteps } from "../../src/model/mesh.ts";
import type { MeshView } from "../../src/reconcile/mesh-view.ts";
import type { ProbeResults } from "../../src/reconcile/probe-results.ts";
import { pod } from "./fixtures.ts";

/** The objects and statuses that Istio 1.30 writes for a server `team-a/demo` in ambient mode. */

const accepted = (type: string, generation = 1): ReportedCondition => ({
  type,
  status: "True",
  reason: type === "Programmed" ? type : "Accepted",
  message: "attached",
  observedGeneration: generation,
});

export function programmed(gateway: Gateway): Gateway {
  const addresses = [{ type: "IPAddress", value: "10.0.0.9" }];
  const status = { addresses, conditions: [accepted("Accepted"), accepted("Programmed")] };
  return { ...gateway, metadata: { ...gateway.metadata, uid: "uid-of-gateway", generation: 1 }, status };
}

export function acceptedPolicy(policy: AuthorizationPolicy, condition: Partial<ReportedCondition> = {}) {
  const type = policy.spec.targetRefs === undefined ? "ZtunnelAccepted" : "WaypointAccepted";
  const status = { conditions: [{ ...accepted(type), ...condition }] };
  return { ...policy, metadata: { ...policy.metadata, generation: 1 }, status };
}

export function bound(service: Service, message = boundMessage): Service {
  const lastTransitionTime = new Date(0);
  const type = "istio.io/WaypointBound";
  const condition = { type, status: "True", reason: "WaypointAccepted", message, lastTransitionTime };
  return { ...service, status: { conditions: [condition] } };
}

const boundMessage =
  "Successfully attached to waypoint team-a/demo-waypoint. Ingress traffic will traverse the waypoint";

/** The Deployment of the waypoint, owned by the Gateway; the operator's labels come from `spec.infrastructure`. */
export function waypointDeployment(availableReplicas = 1, serviceAccountName = "demo-waypoint"): Deployment {
  const owner = { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway", name: "demo-waypoint" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: "demo-waypoint",
      namespace: "team-a",
      ownerReferences: [{ ...owner, uid: "uid-of-gateway" }],
    },
    spec: {
      selector: {},
      template: { spec: { serviceAccountName, containers: [] } },
    },
    status: { availableReplicas },
  };
}

/** A pod of the server that is enrolled in the mesh; `of` sets differences. */
export function enrolledPod(
  annotations: Record<string, string> = { "ambient.istio.io/redirection": "enabled" },
  of: { readonly mode?: MeshMode; readonly isOutdated?: true; readonly isTerminating?: true } = {},
): Pod {
  const made = pod("server", { conditions: [{ type: "Ready", status: "True" }] }, { annotations });
  const labels = of.isOutdated ? {} : enrolmentLabels(new Set(meshSteps[of.mode ?? "Ambient"]));
  const ending = of.isTerminating
    ? { deletionTimestamp: "2026-01-01T00:00:00Z", name: "demo-server-pod-of-before" }
    : {};
  return { ...made, metadata: { ...made.metadata, labels: { ...made.metadata.labels, ...labels }, ...ending } };
}

/** Probe results if the mesh denies all requests. */
export const denied: ProbeResults = { notDenied: [], unanswered: [], denied: 4 };

/** The mesh view of a healthy server; a test sets the difference. */
export function meshView(server: MlflowServer, owned: readonly Owned[], more: Partial<MeshView> = {}): MeshView {
  return {
    server,
    owned,
    unmanaged: [waypointDeployment()],
    otherResources: [],
    isAvailable: true,
    probes: () => denied,
    evidence: { now: new Date(0) },
    ...more,
  };
}

/** The object after Istio has processed it. */
export function processedByIstio(manifest: Manifest): Owned {
  switch (manifest.kind) {
    case "Gateway":
      return programmed(manifest);
    case "AuthorizationPolicy":
      return acceptedPolicy(manifest);
    case "Service":
      return manifest.metadata.labels?.["istio.io/use-waypoint"] === undefined ? manifest : bound(manifest);
    default:
      return manifest;
  }
}

import type { ReportedCondition } from "../../src/kube/manifests.ts";
import type { Objects } from "./objects.ts";

/**
 * Simulates istiod with its webhook, and istio-cni, for a server `mlflow`: each function writes one object or status, with the messages
 * of version 1.30.
 */
export function istiod(objects: Objects) {
  const { namespace } = objects;
  const waypoint = "mlflow-waypoint";
  const condition = (type: string, observedGeneration: number | undefined, more: Partial<ReportedCondition> = {}) => ({
    type,
    status: "True",
    reason: "Accepted",
    message: "",
    lastTransitionTime: "2026-01-01T00:00:00Z",
    observedGeneration,
    ...more,
  });

  /** Programs the Gateway: creates its Deployment and Service with the labels of the Gateway. */
  async function program(): Promise<void> {
    const { metadata, spec } = await objects.the("Gateway", waypoint);
    const labels = { ...spec.infrastructure?.labels, "gateway.networking.k8s.io/gateway-name": waypoint };
    const owner = { apiVersion: "gateway.networking.k8s.io/v1", kind: "Gateway", name: waypoint, uid: metadata.uid };
    const ownerReferences = [owner];
    await objects.create("ServiceAccount", { metadata: { name: waypoint, labels, ownerReferences } });
    const selector = { matchLabels: { "gateway.networking.k8s.io/gateway-name": waypoint } };
    const ports = [{ name: "mesh", port: 15008 }];
    await objects.create("Service", {
      metadata: { name: waypoint, labels, ownerReferences },
      spec: { selector: { "gateway.networking.k8s.io/gateway-name": waypoint }, ports },
    });
    await objects.create("Deployment", {
      metadata: { name: waypoint, labels, ownerReferences },
      spec: { replicas: 1, selector, template: { metadata: { labels }, spec: podSpec(waypoint) } },
    });
    await objects.patch(
      "Gateway",
      waypoint,
      {
        status: {
          addresses: [{ type: "IPAddress", value: "10.0.0.9" }],
          conditions: [
            condition("Accepted", metadata.generation),
            condition("Programmed", metadata.generation, { reason: "Programmed" }),
          ],
        },
      },
      "/status",
    );
  }

  async function accept(policy: string, more: Partial<ReportedCondition> = {}): Promise<void> {
    const { metadata, spec } = await objects.the("AuthorizationPolicy", policy);
    const type = spec.targetRefs === undefined ? "ZtunnelAccepted" : "WaypointAccepted";
    const status = { conditions: [condition(type, metadata.generation, more)] };
    await objects.patch("AuthorizationPolicy", policy, { status }, "/status");
  }

  async function bind(): Promise<void> {
    const message = `Successfully attached to waypoint ${namespace}/${waypoint}. Ingress traffic will traverse the waypoint`;
    const bound = condition("istio.io/WaypointBound", undefined, { reason: "WaypointAccepted", message });
    await objects.patch("Service", "mlflow", { status: { conditions: [bound] } }, "/status");
  }

  const enrol = (value: string | null = "enabled") => annotate("ambient.istio.io/redirection", value);

  /** Sets the annotation that the webhook adds to new pods. */
  const inject = () => annotate("sidecar.istio.io/status", "{}");

  async function annotate(key: string, value: string | null): Promise<void> {
    for (const { metadata } of await objects.list("Pod")) {
      if (metadata.labels?.["app.kubernetes.io/component"] !== "server") continue;
      await objects.patch("Pod", metadata.name, { metadata: { annotations: { [key]: value } } });
    }
  }

  return { program, accept, bind, enrol, inject };
}

function podSpec(serviceAccountName: string) {
  const securityContext = {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" },
  };
  return { serviceAccountName, containers: [{ name: "istio-proxy", image: "proxyv2", securityContext }] };
}

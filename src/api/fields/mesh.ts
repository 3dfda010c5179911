import { z } from "zod";
import { requiredRemedy } from "./rule.ts";
import { plainText } from "./text.ts";

/** The service mesh of the pods. */
export const mesh = z
  .strictObject({
    istio: z
      .strictObject({
        mode: z.enum(["Ambient", "Sidecar"]).meta({
          description:
            "Data plane mode. Ambient: ztunnel on the nodes, and a waypoint for this server. Sidecar: an Envoy in each pod; it requires native sidecars (Kubernetes 1.29 or newer) and istio-cni. A change replaces the pods. Example: Ambient.",
          ...requiredRemedy("write mode: Ambient, or mode: Sidecar"),
        }),
        trustDomain: plainText(
          "Trust domain of the mesh (meshConfig.trustDomain). With a wrong one no writer is identified; in ambient mode a condition reports the correct one. Default: cluster.local. Example: prod.example.com.",
          253,
          {
            rule: "!self.contains('/') && !self.contains(':')",
            message: "a trust domain is a name such as cluster.local, without spiffe:// and without a path",
          },
          {
            rule: "self.contains('/') || self.contains(':') || self.matches('^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$')",
            message: "a trust domain has lower case letters, digits, -, . and _ only, such as cluster.local",
          },
        ).optional(),
      })
      .meta({ description: "Istio. Example: {mode: Ambient}.", ...requiredRemedy("write istio: {mode: Ambient}") }),
  })
  .meta({
    description:
      "The service mesh that the pods join. The operator creates a waypoint and policies; the condition MeshReady reports whether they are enforced. It requires traces. Default: none. Example: {istio: {mode: Ambient}}.",
  });

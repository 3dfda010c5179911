import { z } from "zod";
import { demanded } from "./rule.ts";
import { text } from "./text.ts";

/** The service mesh that the pods are in. */
export const mesh = z
  .strictObject({
    istio: z
      .strictObject({
        mode: z.enum(["Ambient", "Sidecar"]).meta({
          description:
            "Ambient: ztunnel on the nodes, and a waypoint of the server's own. Sidecar: an Envoy in each pod; it takes native sidecars (Kubernetes 1.29 or newer) and istio-cni. A change replaces the pods.",
          ...demanded("write mode: Ambient, or mode: Sidecar"),
        }),
        trustDomain: text(
          "The trust domain of the mesh, as meshConfig.trustDomain has it. With a wrong one no writer is known; in ambient mode a condition names the right one. Default: cluster.local.",
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
      .meta({ description: "Istio.", ...demanded("write istio: {mode: Ambient}") }),
  })
  .meta({
    description:
      "The service mesh that the pods are put into. The operator writes a waypoint and policies; the condition MeshReady says whether they hold. It needs traces.",
  });

import assert from "node:assert/strict";
import { installGateway } from "../cluster/gateway/install-gateway.ts";
import { raw } from "../oauth2-proxy/raw.ts";
import type { LiveScene } from "./live-scene.ts";
import { patiently } from "./patiently.ts";

/** What a gateway does with the prefix of a path that leads to a server. */
export const gatewayModes = ["passes", "strips"] as const;
export type GatewayMode = (typeof gatewayModes)[number];

/** The way of clients outside: a real Gateway, whose Envoy knows a prefix. */
export interface PrefixRoute {
  /** Of the Gateway, on port 80. */
  readonly address: string;
  /** From now on the Gateway passes the prefix on, or strips it; resolves when it does so. */
  readonly use: (mode: GatewayMode) => Promise<void>;
}

export async function prefixRoute(scene: LiveScene, server: string, prefix: string): Promise<PrefixRoute> {
  const gateway = await installGateway(scene.cluster, () => {});
  const manifest = (mode: GatewayMode) => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: server, namespace: scene.namespace },
    spec: {
      parentRefs: [{ name: gateway.name, namespace: gateway.namespace }],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: prefix } }],
          filters: [
            {
              type: "ResponseHeaderModifier",
              responseHeaderModifier: { set: [{ name: "x-gateway", value: mode }] },
            },
            ...(mode === "passes"
              ? []
              : [
                  {
                    type: "URLRewrite",
                    urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } },
                  },
                ]),
          ],
          timeouts: { request: "600s" },
          backendRefs: [{ name: server, port: 5000 }],
        },
      ],
    },
  });
  return {
    address: gateway.address,
    use: async (mode) => {
      const args = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
      const { code, stderr } = await scene.cluster.kubectl(args, JSON.stringify(manifest(mode)));
      assert.equal(code, 0, stderr);
      await patiently(async () => {
        const to = { host: gateway.address, name: "localhost" };
        const { gateway: used } = await raw(80, "GET", `${prefix}/health`, [], to);
        assert.equal(used, mode);
      }, 60);
    },
  };
}

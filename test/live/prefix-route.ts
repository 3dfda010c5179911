import assert from "node:assert/strict";
import { type InstalledGateway, installGateway } from "../cluster/gateway/install-gateway.ts";
import { raw } from "../oauth2-proxy/raw.ts";
import type { LiveFixture } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

/** How a gateway handles the path prefix of a server. */
export const gatewayModes = ["passes", "strips"] as const;
export type GatewayMode = (typeof gatewayModes)[number];

/** The route of external clients: a real Gateway with a path prefix. */
export interface PrefixRoute extends Pick<InstalledGateway, "address" | "host"> {
  /** Configures the Gateway to keep or strip the prefix; resolves when it does so. */
  readonly use: (mode: GatewayMode) => Promise<void>;
}

/** Configures the server with the operator's route, which keeps the prefix, or without. */
export type SetRoute = (gateway: InstalledGateway | undefined) => Promise<unknown>;

/** Returns the routes of a server. Without `setRoute` the test creates both routes. */
export async function prefixRoute(
  fixture: LiveFixture,
  server: string,
  prefix: string,
  setRoute?: SetRoute,
): Promise<PrefixRoute> {
  const name = `${server}-of-the-test`;
  const gateway = await installGateway(fixture.cluster, () => {});
  const manifest = (mode: GatewayMode) => ({
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name, namespace: fixture.namespace },
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
  const kubectl = async (args: readonly string[], stdin?: string) => {
    const { code, stderr } = await fixture.cluster.kubectl(args, stdin);
    assert.equal(code, 0, stderr);
  };
  const own = async (mode: GatewayMode) => {
    await setRoute?.(undefined);
    const args = ["apply", "--server-side", "--force-conflicts", "--filename=-"];
    await kubectl(args, JSON.stringify(manifest(mode)));
  };
  return {
    address: gateway.address,
    host: gateway.host,
    use: async (mode) => {
      const isLed = mode === "passes" && setRoute !== undefined;
      if (isLed) {
        await kubectl(["delete", "httproute", name, "--namespace", fixture.namespace, "--ignore-not-found"]);
        await setRoute(gateway);
      } else await own(mode);
      await waitUntil(async () => {
        const to = { host: gateway.address, name: "localhost" };
        const { gateway: used, status } = await raw(80, "GET", `${prefix}/health`, [], to);
        // Envoy receives a route and its endpoints separately: until it has both it returns an error.
        assert.deepEqual([used, [200, 401].includes(status)], [isLed ? "" : mode, true], String(status));
      }, 120);
    },
  };
}

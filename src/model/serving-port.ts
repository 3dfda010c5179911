import type { MlflowServer } from "../api/server.ts";
import type { MlflowServerSpec } from "../api/spec.ts";
import { port, proxyPort } from "./names.ts";

/** Whether oauth2-proxy runs in front of MLflow, which then listens on loopback only. */
export function isProxied({ authentication }: Pick<MlflowServerSpec, "authentication">): boolean {
  return authentication.oauth2Proxy !== undefined;
}

/** Returns the port of the pods for clients: that of oauth2-proxy, or without it that of MLflow. */
export function servingPort({ spec }: Pick<MlflowServer, "spec">): number {
  return isProxied(spec) ? proxyPort : port;
}

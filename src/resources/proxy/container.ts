import type { V1Container, V1EnvVar, V1Probe } from "@kubernetes/client-node";
import type { ServerModel } from "../../features/server-model.ts";
import { literal } from "../../kube/variable.ts";
import { proxyMetricsPort, proxyPort } from "../../model/names.ts";
import { containerSecurityContext, type MountedContainer } from "../pod/pod-spec.ts";
import { type Program, program as runnable } from "../pod/program.ts";
import { checkIssuersProgram, checkRedisProgram } from "../python-programs.ts";
import { proxyArguments } from "./arguments.ts";
import { proxyMounts } from "./files.ts";

/** Returns the container of oauth2-proxy, the only one of the pod that accepts external connections, except those for metrics. Undefined without oauth2-proxy. */
export function oauth2Proxy(model: ServerModel): MountedContainer | undefined {
  const { proxy } = model;
  if (proxy === undefined) return undefined;
  const scheme = model.addresses.scheme.toUpperCase();
  // oauth2-proxy answers this path itself, without a credential and without MLflow, which has its own probes.
  const probe: V1Probe = { httpGet: { path: "/ping", port: "http", scheme }, timeoutSeconds: 5 };
  const env = [...(model.authentication.sessionStore?.env ?? []), ...model.process.httpProxy];
  const container: V1Container = {
    name: "oauth2-proxy",
    image: proxy.image.name,
    imagePullPolicy: proxy.image.pullPolicy,
    args: proxyArguments(model, proxy),
    ...(env.length > 0 && { env }),
    ports: [
      { name: "http", containerPort: proxyPort, protocol: "TCP" },
      ...(model.monitoring === undefined
        ? []
        : [{ name: "proxy-metrics", containerPort: proxyMetricsPort, protocol: "TCP" }]),
    ],
    resources: proxy.resources,
    startupProbe: { ...probe, periodSeconds: 2, failureThreshold: 30 },
    readinessProbe: { ...probe, periodSeconds: 5, failureThreshold: 3 },
    livenessProbe: { ...probe, periodSeconds: 10, failureThreshold: 6 },
    // It accepts no connections after SIGTERM, so the endpoint must be removed from the Service before.
    lifecycle: { preStop: { sleep: { seconds: 5 } } },
    securityContext: containerSecurityContext,
  };
  return { container, mounted: proxyMounts(model, proxy) };
}

/**
 * Returns an init container in MLflow's image that waits until a dependency is available, and reports the reason if it is
 * not. The rollout waits too, so running pods continue.
 */
function peerCheck({ image, pod }: ServerModel, name: string, program: Program, env: readonly V1EnvVar[]): V1Container {
  const { command, variable } = runnable(program);
  return {
    name,
    image: image.name,
    imagePullPolicy: image.pullPolicy,
    workingDir: "/",
    command,
    env: [variable, ...env],
    resources: pod.resources.setup,
    securityContext: containerSecurityContext,
  };
}

/** Returns the init container that waits until the session store of oauth2-proxy is available. Undefined without one. */
export function sessionStoreCheck(model: ServerModel): MountedContainer | undefined {
  const { sessionStore: store } = model.authentication;
  return (
    store && { container: peerCheck(model, "sessions", checkRedisProgram, store.checkEnv), mounted: store.mounted }
  );
}

/** Returns the init container that waits until the issuers serve their keys. Undefined without issuers. */
export function issuerCheck(model: ServerModel): MountedContainer | undefined {
  if (model.issuers.length === 0) return undefined;
  const issuers = model.issuers.map(({ issuer, path, ca, discovery }) => ({
    issuer,
    path,
    ca,
    ...(discovery !== undefined && { discovery }),
  }));
  const env = [
    literal("ISSUERS", JSON.stringify(issuers)),
    literal("CA_FILES", JSON.stringify(model.issuerCaPaths)),
    ...model.process.httpProxy,
  ];
  return { container: peerCheck(model, "issuers", checkIssuersProgram, env), mounted: model.issuerCaFiles };
}

import type { MlflowServerSpec } from "../api/spec.ts";
import { isProxied } from "./addresses.ts";
import { metricsPort, proxyMetricsPort } from "./names.ts";

/** The metrics of a server. */
export interface Monitoring {
  /** The namespace of Prometheus. */
  readonly namespace: string;
  readonly ports: readonly number[];
}

/** Returns who gets the metrics of a server, and at which ports of its pods; undefined without. */
export function monitoringOf(spec: Pick<MlflowServerSpec, "authentication" | "monitoring">): Monitoring | undefined {
  if (spec.monitoring === undefined) return undefined;
  const { namespace } = spec.monitoring;
  return { namespace, ports: isProxied(spec) ? [metricsPort, proxyMetricsPort] : [metricsPort] };
}

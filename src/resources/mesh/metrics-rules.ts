import type { MlflowServer } from "../../api/server.ts";
import type { AuthorizationRule } from "../../kube/manifests.ts";
import { monitoringOf } from "../../model/monitoring.ts";

/** The ports of the metrics, and the namespace of Prometheus, as policies have them; undefined without. */
function metricsOf({ spec }: MlflowServer) {
  const { namespace, ports } = monitoringOf(spec) ?? {};
  return namespace === undefined || ports === undefined ? undefined : { namespace, ports: ports.map(String) };
}

/** Returns a rule of a DENY policy with the ports of the metrics left out. */
export function exceptMetrics(rule: AuthorizationRule, server: MlflowServer): AuthorizationRule {
  const metrics = metricsOf(server);
  return metrics === undefined ? rule : { ...rule, to: [{ operation: { notPorts: metrics.ports } }] };
}

/** Returns the rules that deny the metrics to workloads of the mesh in other namespaces. The NetworkPolicy restricts those that are in no mesh. */
export function denyMetrics(server: MlflowServer): AuthorizationRule[] {
  const metrics = metricsOf(server);
  if (metrics === undefined) return [];
  const source = { principals: ["*"], notNamespaces: [metrics.namespace] };
  return [{ from: [{ source }], to: [{ operation: { ports: metrics.ports } }] }];
}

/** Returns the rules that allow the metrics to the namespace of Prometheus, and to workloads that are in no mesh. */
export function allowMetrics(server: MlflowServer): AuthorizationRule[] {
  const metrics = metricsOf(server);
  if (metrics === undefined) return [];
  const sources = [{ namespaces: [metrics.namespace] }, { notPrincipals: ["*"] }];
  return [{ from: sources.map((source) => ({ source })), to: [{ operation: { ports: metrics.ports } }] }];
}

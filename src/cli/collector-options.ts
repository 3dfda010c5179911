import type { ClusterOptions } from "./cluster-access.ts";
import { UsageError } from "./command.ts";
import type { FileOptions } from "./files.ts";

/** The options of `otel-config`. */
export interface CollectorOptions extends FileOptions, ClusterOptions {
  readonly manifests: boolean;
  /** The id of the experiment that receives the traces. */
  readonly experiment: string;
  /** `<namespace>/<name>` */
  readonly collector?: string;
  readonly secret?: string;
  readonly workspace?: string;
  readonly tokenUrl?: string;
  readonly scope?: readonly string[];
  readonly user?: string;
  /** A ConfigMap with the CA certificate of the server. */
  readonly serverCa?: string;
  readonly image: string;
  readonly clusterDomain: string;
}

/** Throws a {@link UsageError} for wrong values. */
export function checkCollectorOptions(options: CollectorOptions): void {
  if (!/^\d{1,20}$/.test(options.experiment))
    throw new UsageError("--experiment is the number in the URL of the experiment's page, such as 1");
  const parts = options.collector?.split("/") ?? [];
  if (options.collector !== undefined && (parts.length !== 2 || parts[1] === ""))
    throw new UsageError("--collector is <namespace>/<name>, such as agents/otel-collector");
  for (const [name, value] of [
    ["namespace", options.namespace],
    ["secret", options.secret],
    ["workspace", options.workspace],
    ["server-ca", options.serverCa],
    ...parts.map((part) => ["collector", part] as const),
  ] as const)
    if (value !== undefined && !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value))
      throw new UsageError(`--${name}: ${JSON.stringify(value)} is not a valid name of a Kubernetes object`);
}

/** The namespace and name of `--collector`. */
export function collectorIdentity({ collector }: CollectorOptions): { namespace: string; name: string } | undefined {
  const [namespace = "", name = ""] = collector?.split("/") ?? [];
  return collector === undefined ? undefined : { namespace, name };
}

import type { Log } from "../../src/runtime/log.ts";
import { type Operator, type OperatorOptions, operator } from "../../src/runtime/operator.ts";

/** What the operator wrote into its log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface OperatorInProcess extends Operator {
  readonly log: readonly LogLine[];
}

/** As whom, and in which namespace: the one that is watched, and that of the Lease. */
export type Placement = Pick<OperatorOptions, "credentials"> & { readonly namespace: string };

/** The operator in this process: as fast as a function call, with watches, queue and credentials of its own. */
export async function operatorInProcess(
  { namespace, credentials }: Placement,
  options: Partial<OperatorOptions> = {},
): Promise<OperatorInProcess> {
  const log: LogLine[] = [];
  const running = await operator({
    credentials,
    version: "test",
    imageRepository: "registry.example.com/mlflow-server",
    proxyImage: "registry.example.com/oauth2-proxy:v7.15.6",
    clusterDomain: "cluster.local",
    // Most tests are about what comes after it.
    gracePeriodSeconds: 0,
    namespaces: [namespace],
    leaderElection: false,
    leaseNamespace: namespace,
    leaseName: "mlflow-operator",
    healthAddress: "127.0.0.1",
    healthPort: 0,
    workers: 4,
    instance: "in-process",
    log: logInto(log),
    ...options,
  });
  return { ...running, log };
}

function logInto(lines: LogLine[]): Log {
  const write =
    (level: string) =>
    (fields: unknown, message?: unknown): void => {
      const known = typeof fields === "object" && fields !== null ? fields : {};
      lines.push({ ...known, level, message: typeof fields === "string" ? fields : String(message) });
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

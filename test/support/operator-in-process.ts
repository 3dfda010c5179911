import type { Log } from "../../src/runtime/log.ts";
import { type Operator, type OperatorOptions, operator } from "../../src/runtime/operator.ts";

/** A line in the log of the operator. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface OperatorInProcess extends Operator {
  readonly log: readonly LogLine[];
}

/** Credentials and namespace (watched, and of the Lease). */
export type Placement = Pick<OperatorOptions, "credentials"> & { readonly namespace: string };

/** Starts the operator in this process, with its own watches, queue and credentials. */
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
    upgradeConcurrency: 5,
    // Most tests are about the state after the grace period.
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

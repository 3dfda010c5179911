import { hostname } from "node:os";
import { parseArgs } from "node:util";
import type { Command } from "commander";
import manifest from "../package.json" with { type: "json" };
import { checkedProxyImage, defaultProxyImage, imageDigests } from "./api/images.ts";
import type { UserEnvironment } from "./cli/context.ts";
import type { ApiAccess } from "./kube/client/api-access.ts";
import type { ProxyEnvironment } from "./kube/client/ignored-proxy.ts";
import { allowedImagesOf } from "./resources/pod/allowed-images.ts";
import type { OperatorOptions } from "./runtime/operator.ts";

/** Version of the operator, from package.json. */
export const version: string = manifest.version;

/** Settings of the process, from arguments and environment variables. Only this file reads the environment. */
export interface Settings extends Omit<OperatorOptions, "credentials" | "version" | "log" | "timing" | "probe"> {
  /** The kubeconfig from `--kubeconfig`, otherwise the service account of the pod. The variable KUBECONFIG is never used. */
  readonly access: ApiAccess;
  readonly logLevel: string;
  /** HTTP proxy settings in the environment, which the operator ignores. */
  readonly proxyEnvironment: ProxyEnvironment | undefined;
}

/** The options of `run`: the name of the value, what it is, and the default. */
const options = {
  kubeconfig: ["path", "kubeconfig of the cluster", "the service account of the pod"],
  "watch-namespaces": [
    "names",
    "reconcile only these namespaces, separated by commas, with Roles instead of a ClusterRole",
    "all",
  ],
  "image-repository": ["name", "image of MLflow without tag", "ghcr.io/mlflow-operator/mlflow-server"],
  "image-digests": ["list", "digests of this image by version, in place of the tag, such as 3.17.2=sha256:…", "none"],
  "proxy-image": ["image", "image of oauth2-proxy with tag or digest, 7.15.5 or newer", defaultProxyImage],
  "allowed-images": [
    "list",
    "images that an MlflowServer can name in addition to these two: a repository, or all below a prefix, such as registry.example.com/ml/*",
    "any",
  ],
  "cluster-domain": ["domain", "DNS domain of Services", "cluster.local"],
  "user-ids": [
    "auto|fixed|namespace",
    "user and group of the pods: those of the image, or those that the namespace assigns (OpenShift)",
    "auto",
  ],
  "upgrade-concurrency": [
    "number",
    "how many servers an operator upgrade, or changed operator settings, change at the same time after the first server",
    "5",
  ],
  "grace-period": [
    "seconds",
    "how long a missing prerequisite, such as a Secret, is reported as Reconciling instead of Stalled after a new generation is observed",
    "120",
  ],
  "leader-elect": ["true|false", "hold the Lease before writing", "true"],
  "lease-namespace": ["name", "namespace of the Lease", "the namespace of the pod, else default"],
  "lease-name": ["name", "name of the Lease", "mlflow-operator"],
  "health-address": ["address", "address of /healthz, /readyz and /metrics", "all, of both IP families"],
  "health-port": ["port", "port of /healthz, /readyz and /metrics", "8080"],
  workers: ["number", "concurrent reconciliations of servers", "8"],
  "log-level": ["level", "debug, info, warn or error", "info"],
} as const satisfies Record<string, readonly [value: string, description: string, preset: string]>;

/** The options of `run` that were given, by their name in camel case. */
type OptionValues = Readonly<Record<string, string | undefined>>;

/** Adds the options of `run` to a command. */
export function addSettings(command: Command): Command {
  for (const [name, [value, description, preset]] of Object.entries(options))
    command.option(`--${name} <${value}>`, `${description} (default: ${preset})`);
  return command;
}

/** The settings of arguments and environment. Throws an Error with a message for the user where an option is unknown or invalid. */
export function settings(args: readonly string[], environment: NodeJS.ProcessEnv = process.env): Settings {
  const known = Object.fromEntries(Object.keys(options).map((name) => [name, { type: "string" as const }]));
  const { values } = parseArgs({ args: [...args], options: known });
  return settingsOf(
    Object.fromEntries(Object.entries(values).map(([name, value]) => [camelCase(name), String(value)])),
    environment,
  );
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** {@link settings}, from the option values of a command that commander has parsed. */
export function settingsOf(values: OptionValues, environment: NodeJS.ProcessEnv = process.env): Settings {
  const read = (name: keyof typeof options): string | undefined =>
    values[camelCase(name)] ?? nonEmpty(environment[`MLFLOW_OPERATOR_${name.toUpperCase().replaceAll("-", "_")}`]);
  const namespaces = read("watch-namespaces")
    ?.split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const badName = namespaces?.find((name) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name));
  if (badName !== undefined) throw new Error(`--watch-namespaces: ${badName} is not a valid namespace name.`);
  if (namespaces?.length === 0) throw new Error("--watch-namespaces is empty: omit it to watch all namespaces.");
  const logLevel = read("log-level") ?? "info";
  if (!["debug", "info", "warn", "error"].includes(logLevel)) {
    throw new Error(`--log-level ${logLevel}: use debug, info, warn or error.`);
  }
  const leaderElect = read("leader-elect") ?? "true";
  if (leaderElect !== "true" && leaderElect !== "false") throw new Error("--leader-elect must be true or false.");
  return {
    access: access(read("kubeconfig"), environment),
    namespaces,
    imageRepository: read("image-repository") ?? "ghcr.io/mlflow-operator/mlflow-server",
    imageDigests: imageDigests("--image-digests", read("image-digests")),
    proxyImage: checkedProxyImage("--proxy-image", read("proxy-image") ?? defaultProxyImage),
    allowedImages: allowedImagesOf("--allowed-images", read("allowed-images")),
    userIDs: userIDs(read("user-ids") ?? "auto"),
    clusterDomain: read("cluster-domain") ?? "cluster.local",
    upgradeConcurrency: whole("--upgrade-concurrency", read("upgrade-concurrency") ?? "5", 1, 10_000),
    gracePeriodSeconds: whole("--grace-period", read("grace-period") ?? "120", 0, 3600),
    leaderElection: leaderElect === "true",
    operatorNamespace: nonEmpty(environment["POD_NAMESPACE"]),
    leaseNamespace: read("lease-namespace") ?? nonEmpty(environment["POD_NAMESPACE"]) ?? "default",
    leaseName: read("lease-name") ?? "mlflow-operator",
    healthAddress: read("health-address"),
    healthPort: whole("--health-port", read("health-port") ?? "8080", 0, 65535),
    workers: whole("--workers", read("workers") ?? "8", 1, 64),
    logLevel,
    proxyEnvironment: proxyEnvironment(environment),
    instance: nonEmpty(environment["POD_NAME"]) ?? hostname(),
  };
}

/** What the command line reads of the environment. */
export function userEnvironment(environment: NodeJS.ProcessEnv = process.env): UserEnvironment {
  const kubeconfig = nonEmpty(environment["KUBECONFIG"]);
  const home = nonEmpty(environment["HOME"]) ?? nonEmpty(environment["USERPROFILE"]);
  const externalDiff = nonEmpty(environment["KUBECTL_EXTERNAL_DIFF"]);
  return { ...(kubeconfig && { kubeconfig }), ...(home && { home }), ...(externalDiff && { externalDiff }) };
}

function proxyEnvironment(environment: NodeJS.ProcessEnv): ProxyEnvironment | undefined {
  const variable = ["HTTPS_PROXY", "https_proxy"].find((name) => nonEmpty(environment[name]) !== undefined);
  if (variable === undefined) return undefined;
  return { variable, noProxy: environment["NO_PROXY"] ?? environment["no_proxy"] ?? "" };
}

function access(kubeconfig: string | undefined, environment: NodeJS.ProcessEnv): ApiAccess {
  if (kubeconfig !== undefined) return { kubeconfig };
  const host = nonEmpty(environment["KUBERNETES_SERVICE_HOST"]);
  const port = nonEmpty(environment["KUBERNETES_SERVICE_PORT"]);
  if (host === undefined || port === undefined) {
    throw new Error("The operator does not run in a pod: set --kubeconfig <path>.");
  }
  const directory = nonEmpty(environment["MLFLOW_OPERATOR_SERVICE_ACCOUNT_DIRECTORY"]);
  return { host, port, ...(directory === undefined ? {} : { serviceAccountDirectory: directory }) };
}

function userIDs(text: string): Settings["userIDs"] {
  if (text === "auto" || text === "fixed" || text === "namespace") return text;
  throw new Error("--user-ids must be auto, fixed or namespace.");
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function whole(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${option} ${text}: use a whole number from ${least} to ${most}.`);
  }
  return value;
}

import { insteadOf, isReserved } from "../../api/environment.ts";
import { unsafeAnnotations } from "../../api/fields/ingress.ts";
import type { Rule } from "../../api/fields/rule.ts";
import { ruleProblems } from "../../api/rule-problems.ts";
import { versions } from "../../api/versions.ts";
import { type ConversionContext, changed, mapped, notNeeded, type Row, unsupported } from "./chart.ts";
import { isValues, pathText, type Value, type Values } from "./values.ts";

/** Sets `version` from the tag of an image, such as `v3.17.2-full`; the newest version where the operator does not run that one. */
export function setVersion({ values, draft, report }: ConversionContext, key: string): void {
  const tag = values.text(key);
  const wanted = /(?<!\d)\d{1,4}\.\d{1,4}\.\d{1,4}/u.exec(tag ?? "")?.[0];
  const newest = versions[0].version;
  const isKnown = versions.some(({ version }) => version === wanted);
  draft.set("version", isKnown ? wanted : newest);
  if (tag === undefined || isKnown) return;
  const what =
    wanted === undefined ? "the tag does not contain the version of MLflow" : `MLflow ${wanted} is not supported`;
  report(key, "changed", `${what}, so version is ${newest}: back up the database before its migration`);
}

/** The pull policy, and the Secrets that the image is pulled with. */
export function setImage({ values, draft }: ConversionContext, pullSecrets: readonly string[]): void {
  draft.set("image.pullPolicy", values.text("image.pullPolicy"));
  if (pullSecrets.length === 0) return;
  draft.set(
    "image.pullSecrets",
    pullSecrets.map((name) => ({ name: draft.existing(name, [".dockerconfigjson"]) })),
  );
}

/** The only metric of the HorizontalPodAutoscaler. */
export const onlyCPU = "the HorizontalPodAutoscaler has the CPU usage of MLflow's container as its only metric";

/** `autoscaling`. The charts leave the number of replicas out of their Deployment with it. */
export function setAutoscaling(
  { draft, report }: ConversionContext,
  replicas: string,
  limits: Readonly<Record<"minReplicas" | "maxReplicas" | "targetCPUUtilization", number | undefined>>,
): void {
  for (const [field, value] of Object.entries(limits)) draft.set(`autoscaling.${field}`, value);
  report(replicas, "changed", "the HorizontalPodAutoscaler decides, as in the chart");
}

/** Rows of a ServiceMonitor, with the chart's names of two of its keys. */
export const serviceMonitorRows = (
  monitor: string,
  { timeout, path }: Readonly<Record<"timeout" | "path", string>>,
): Row[] => [
  mapped(`${monitor}.enabled`, "monitoring.namespace"),
  changed(`${monitor}.namespace`, "monitoring.namespace", "it is taken for the namespace of Prometheus"),
  ...notNeeded(
    "the chart of the operator has the PodMonitor of all servers: set metrics.serverPodMonitor there",
    `${monitor}.labels.*`,
    `${monitor}.interval`,
    `${monitor}.${timeout}`,
  ),
  ...notNeeded("the ports of the metrics serve /metrics", `${monitor}.${path}`),
  ...unsupported("the PodMonitor of the operator's chart has no such field: write one of your own", `${monitor}.*`),
];

/** `monitoring`, if the chart creates a ServiceMonitor. */
export function setMonitoring({ values, draft, report }: ConversionContext, monitor: string): void {
  if (!values.flag(`${monitor}.enabled`)) return;
  const namespace = values.text(`${monitor}.namespace`);
  draft.set("monitoring.namespace", namespace ?? "monitoring");
  if (namespace === undefined)
    report(`${monitor}.enabled`, "changed", "write the namespace of Prometheus, if it is not monitoring");
}

/** The rows of `garbageCollection`, which two charts have alike. */
export const garbageRows: readonly Row[] = [
  mapped("garbageCollection.enabled", "garbageCollection"),
  mapped("garbageCollection.schedule", "garbageCollection.schedule"),
  changed("garbageCollection.olderThan", "garbageCollection.olderThan", "in hours, minutes or seconds"),
  ...notNeeded("all workspaces are covered", "garbageCollection.allWorkspaces"),
  ...unsupported("the operator sets the rest of the CronJob", "garbageCollection.*"),
];

/** `garbageCollection`. Without `olderThan` the operator waits for 30 days, the charts not at all. */
export function setGarbageCollection({ values, draft }: ConversionContext): void {
  if (!values.flag("garbageCollection.enabled")) return;
  draft.set("garbageCollection.schedule", values.text("garbageCollection.schedule") ?? "0 2 * * 0");
  const age = values.text("garbageCollection.olderThan");
  if (age !== undefined) draft.set("garbageCollection.olderThan", durationOf(age));
}

const unitSeconds: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1 };

/** `1d12h` in the largest unit of which it is a whole number: `36h`. */
function durationOf(age: string): string {
  const seconds = Math.ceil(
    age.split(/(?<=[dhms])/).reduce((sum, part) => {
      const factor = unitSeconds[part.slice(-1)];
      return factor === undefined ? sum : sum + Number(part.slice(0, -1)) * factor;
    }, 0),
  );
  const [unit = "s"] = Object.keys(unitSeconds).filter(
    (each) => each !== "d" && seconds % (unitSeconds[each] ?? 1) === 0,
  );
  return `${seconds / (unitSeconds[unit] ?? 1)}${unit}`;
}

/** Names of a list of objects, such as `imagePullSecrets`. */
export const namesIn = ({ values }: ConversionContext, key: string): string[] =>
  values.items(key).flatMap((item) => item.text("name") ?? []);

/** Quantities as the API server takes them: a number with a fraction, such as 0.5 CPUs, is text. */
function quantities(value: Value): Value {
  if (typeof value === "number" && !Number.isInteger(value)) return String(value);
  return isValues(value)
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, quantities(item)]))
    : value;
}

/** Fields of the pods that Kubernetes and the charts name alike: the chart's key, and the field. */
export function setPod({ values, draft }: ConversionContext, keys: Readonly<Record<string, string>>): void {
  for (const [key, field] of Object.entries(keys)) {
    const value = values.value(key);
    const isEmpty = value === "" || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
    draft.set(
      field,
      isEmpty || value === undefined ? undefined : field === "pod.resources" ? quantities(value) : value,
    );
  }
}

/** Variables that have their own field. */
const fieldsOfVariables: Readonly<Record<string, string>> = {
  MLFLOW_S3_ENDPOINT_URL: "artifactStore.s3.endpointURL",
  AWS_DEFAULT_REGION: "artifactStore.s3.region",
  AWS_REGION: "artifactStore.s3.region",
  MLFLOW_LOGGING_LEVEL: "server.logLevel",
  MLFLOW_SERVER_ALLOWED_HOSTS: "server.allowedHosts",
  MLFLOW_SERVER_CORS_ALLOWED_ORIGINS: "server.corsAllowedOrigins",
};

/** Variables whose value is probably a secret: it is never written into the manifest. */
const looksSecret =
  /PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|CONNECTION_?STRING|_KEY$|_DSN$|_URI$/iu;

/** Environment variables, each with the key at which its value is: its own field, `server.env`, or a report of why not. */
export function setEnvironment(
  context: ConversionContext,
  variables: readonly (readonly [name: string, source: Values, key: string])[],
): void {
  const { draft, report, release } = context;
  const secrets: Record<string, string> = {};
  const env: Values[] = [];
  const hasS3 = hasBucket(draft, ["s3"]);
  for (const [name, source, key] of variables) {
    const field = fieldsOfVariables[name];
    const value = source["value"];
    if (field !== undefined && typeof value === "string") {
      if (field.startsWith("artifactStore.s3") && !hasS3) {
        report(key, "unmapped", "it is for a bucket, and the manifest has no artifactStore.s3");
        continue;
      }
      const isList = field === "server.allowedHosts" || field === "server.corsAllowedOrigins";
      draft.set(field, isList ? listOf(value) : field === "server.logLevel" ? value.toUpperCase() : value);
      report(key, "changed", `${field}`);
    } else if (setAzureCredentials(context, name, source, key)) report(key, "changed", "the Secret is referenced");
    else if (isReserved(name)) report(key, "unmapped", insteadOf(name) ?? "the operator sets it");
    else if (looksSecret.test(name) && value !== undefined) {
      secrets[name] = key;
      env.push({ name, valueFrom: { secretKeyRef: { name: `${release.name}-environment`, key: name } } });
      report(key, "changed", "the manifest references a Secret that has it");
    } else env.push({ name, ...source });
  }
  if (Object.keys(secrets).length > 0) draft.toCreate(`${release.name}-environment`, secrets);
  if (env.length > 0) draft.set("server.env", env);
}

const azureVariables: Readonly<Record<string, string>> = {
  AZURE_STORAGE_CONNECTION_STRING: "connectionStringSecretRef",
  AZURE_STORAGE_ACCESS_KEY: "accessKeySecretRef",
};

/** Sets the credentials of Azure Blob Storage from a variable: a key of a Secret that exists, or of one to create. */
function setAzureCredentials(
  { draft, release }: ConversionContext,
  name: string,
  { value, valueFrom }: Values,
  key: string,
): boolean {
  const field = azureVariables[name];
  if (field === undefined || !hasBucket(draft, ["azureBlob"])) return false;
  const reference = isValues(valueFrom) ? valueFrom["secretKeyRef"] : undefined;
  if (isValues(reference) && typeof reference["name"] === "string" && typeof reference["key"] === "string") {
    const existing = draft.existing(reference["name"], [reference["key"]]);
    draft.set(`artifactStore.azureBlob.${field}`, { name: existing, key: reference["key"] });
    return true;
  }
  if (value === undefined) return false;
  setAzureSecret({ draft, release }, field === "accessKeySecretRef" ? "access-key" : "connection-string", key);
  return true;
}

/** Sets the credentials of Azure Blob Storage as a Secret to create. */
export function setAzureSecret(
  { draft, release }: Pick<ConversionContext, "draft" | "release">,
  secretKey: "access-key" | "connection-string",
  key: string,
): void {
  const field = secretKey === "access-key" ? "accessKeySecretRef" : "connectionStringSecretRef";
  const name = draft.toCreate(`${release.name}-azure`, { [secretKey]: key });
  draft.set(`artifactStore.azureBlob.${field}`, { name, key: secretKey });
}

/** Variables in the form of a container's `env`. */
export function variablesOf(list: readonly Value[] | undefined, key: string): (readonly [string, Values, string])[] {
  return (list ?? []).flatMap((item, index) => {
    if (!isValues(item) || typeof item["name"] !== "string") return [];
    const { name, ...source } = item;
    return [[String(name), source, `${key}[${index}]`] as const];
  });
}

export const listOf = (text: string | undefined): string[] | undefined =>
  text
    ?.split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

/** Sets hosts that MLflow answers to; `*` for all hosts is left out. */
export function setAllowedHosts(context: ConversionContext, key: string, hosts: readonly string[] | undefined): void {
  const { draft, report } = context;
  if (hosts === undefined || hosts.length === 0) return;
  if (hosts.includes("*")) {
    report(
      key,
      "changed",
      "not needed: MLflow answers to the hosts of exposure and of the Service; * for all hosts is rejected",
    );
  }
  const exact = hosts.filter((host) => host !== "*");
  if (exact.length > 0) draft.set("server.allowedHosts", exact);
}

/** An Ingress with hosts, as the charts have it; annotations that the operator rejects are reported. */
export function setIngress(
  { values, draft, report }: ConversionContext,
  keys: { readonly annotations: string; readonly className: string },
  hosts: readonly string[],
  tls: readonly Values[],
  path = "/",
): void {
  const annotations: Record<string, Value> = {};
  for (const [name, value] of Object.entries(values.map(keys.annotations) ?? {})) {
    const text = String(value);
    const why =
      name === "kubernetes.io/ingress.class"
        ? "use exposure.ingress.className"
        : rejectionOf(unsafeAnnotations, name, text);
    if (why === undefined) annotations[name] = text;
    else report(pathText([...keys.annotations.split("."), name]), "unmapped", why);
  }
  const ingress: Record<string, Value> = {};
  const className = values.text(keys.className) ?? values.map(keys.annotations)?.["kubernetes.io/ingress.class"];
  if (className !== undefined) ingress["className"] = className;
  if (Object.keys(annotations).length > 0) ingress["annotations"] = annotations;
  ingress["hosts"] = hosts.map((host) => ({ host }));
  if (tls.length > 0) ingress["tls"] = tls;
  draft.set("exposure.ingress", ingress);
  const prefix = withoutTrailing(path, "/*");
  if (prefix !== "") draft.set("exposure.externalURL", `${tls.length > 0 ? "https" : "http"}://${hosts[0]}${prefix}`);
}

/** The message of the first of these rules of the API that rejects an annotation. */
export function rejectionOf(rules: readonly Rule[], name: string, value: string): string | undefined {
  const rejects = (rule: Rule) =>
    ruleProblems({ ...anyAnnotations, "x-kubernetes-validations": [rule] }, { [name]: value }, "").length > 0;
  return rules.find(rejects)?.message;
}

const anyAnnotations = { type: "object", additionalProperties: { type: "string" } } as const;

/** A backend store whose URI is written out in the values, as a field where it is SQLite, and else as a Secret to create. */
export function setDatabaseUri({ values, draft, release }: ConversionContext, key: string): void {
  const uri = values.text(key);
  if (uri === undefined || uri.startsWith("sqlite:")) {
    draft.set("backendStore.sqlite", {});
    return;
  }
  const name = draft.toCreate(`${release.name}-backend-store`, { uri: key });
  draft.set("backendStore.uriSecretRef", { name, key: "uri" });
}

/** Buckets and containers, by their field below `artifactStore`. */
const buckets = ["s3", "gcs", "azureBlob"] as const;

/** A store of artifacts: its field below `artifactStore`, and the settings there. */
interface LocatedStore {
  readonly field: (typeof buckets)[number];
  readonly settings: Values;
}

/** The store of a location such as `s3://bucket/path`; undefined for another location. */
export function storeOfLocation(location: string | undefined): LocatedStore | undefined {
  const [, scheme, host = "", path = ""] = /^(s3|gs|wasbs):\/\/([^/]+)(?:\/(.*))?$/u.exec(location ?? "") ?? [];
  if (scheme === undefined) return undefined;
  const prefix = withoutTrailing(path, "/");
  const more: Values = prefix === "" ? {} : { prefix };
  if (scheme !== "wasbs") return { field: scheme === "s3" ? "s3" : "gcs", settings: { bucket: host, ...more } };
  const [container = "", account = ""] = host.split("@");
  const [storageAccount = "", ...domain] = account.split(".");
  const endpointSuffix = domain.join(".");
  const cloud: Values = endpointSuffix === "blob.core.windows.net" ? {} : { endpointSuffix };
  return { field: "azureBlob", settings: { storageAccount, container, ...more, ...cloud } };
}

/** Whether artifacts are in a bucket or container. */
function hasBucket(draft: ConversionContext["draft"], fields: readonly LocatedStore["field"][] = buckets): boolean {
  const store = draft.spec["artifactStore"] as Values | undefined;
  return fields.some((field) => isValues(store?.[field]));
}

/** The volume of artifacts, or of the SQLite file where artifacts are in a bucket. */
export function setVolume(
  { draft, values }: ConversionContext,
  keys: Readonly<Record<"size" | "class" | "mode", string>>,
): void {
  const field = hasBucket(draft) ? "backendStore.sqlite" : "artifactStore.persistentVolume";
  const isSqlite = isValues((draft.spec["backendStore"] as Values | undefined)?.["sqlite"]);
  if (field === "backendStore.sqlite" && !isSqlite) return;
  if (field !== "backendStore.sqlite") draft.set(field, {});
  draft.set(`${field}.size`, values.text(keys.size));
  const storageClass = values.text(keys.class);
  draft.set(`${field}.storageClassName`, storageClass === "-" ? undefined : storageClass);
  const mode = values.value(keys.mode);
  const modes = Array.isArray(mode) ? mode : mode === undefined || mode === "" ? [] : [mode];
  if (field !== "backendStore.sqlite" && modes.length > 0 && modes[0] !== "ReadWriteOnce")
    draft.set(`${field}.accessModes`, [modes[0]]);
}

/** The text without these characters at its end. */
export function withoutTrailing(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** The text without these characters at its start. */
export function withoutLeading(text: string, characters: string): string {
  let start = 0;
  while (start < text.length && characters.includes(text.charAt(start))) start++;
  return text.slice(start);
}

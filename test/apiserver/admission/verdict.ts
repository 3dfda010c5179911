import { setTimeout as sleep } from "node:timers/promises";
import { definitions as allDefinitions } from "../../../src/api/definitions.ts";
import { isObject } from "../../../src/api/structure.ts";
import type { Document } from "../../api/documents.ts";
import { kubernetesVersionVariable } from "../../control-plane/binaries.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const ofNamespace = (namespace: string, plural: string) =>
  `/apis/mlflow-operator.dev/v1alpha1/namespaces/${namespace}/${plural}`;
const servers = (namespace: string) => ofNamespace(namespace, "mlflowservers");

/** Installs the CRDs of the source, and waits until they are served. */
export async function installDefinition(cluster: ClusterAccess): Promise<void> {
  for (const definition of allDefinitions()) {
    const path = `${definitions}/${definition.metadata.name}`;
    const answer = await cluster.request("PATCH", `${path}?fieldManager=test&force=true&fieldValidation=Strict`, {
      body: definition,
      headers: { "content-type": "application/apply-patch+yaml" },
    });
    if (answer.status >= 300) throw new Error(`the API server rejects the CRD: ${answer.body}`);
  }
  for (const plural of ["mlflowservers", "mlflowworkspaceaccesses", "mlflowbackups", "mlflowbackupschedules"])
    while ((await cluster.request("GET", ofNamespace("default", plural))).status !== 200) await sleep(50);
}

/** The result of a request: nothing if the API server accepts it, otherwise its problems as kubectl shows them. */
export interface Verdict {
  readonly status: number;
  readonly problems: readonly string[];
}

/** Creates an object; with `dryRun` nothing is stored. Field validation is strict, as with kubectl. */
export function create(
  cluster: ClusterAccess,
  document: Document,
  namespace = "default",
  dryRun = true,
): Promise<Verdict> {
  const query = `fieldValidation=Strict${dryRun ? "&dryRun=All" : ""}`;
  return verdict(cluster, "POST", `${ofNamespace(namespace, pluralOf(document))}?${query}`, document);
}

/** Changes a stored object by a merge patch with dry run; `subresource` is, for example, `/scale`. */
export function change(
  cluster: ClusterAccess,
  namespace: string,
  name: string,
  patch: unknown,
  subresource = "",
): Promise<Verdict> {
  const path = `${servers(namespace)}/${name}${subresource}?fieldValidation=Strict&dryRun=All`;
  return verdict(cluster, "PATCH", path, patch, "application/merge-patch+json");
}

/** Replaces a stored object with dry run. */
export async function replace(
  cluster: ClusterAccess,
  namespace: string,
  name: string,
  document: Document,
): Promise<Verdict> {
  const stored: unknown = JSON.parse((await cluster.request("GET", `${servers(namespace)}/${name}`)).body);
  const metadata = isObject(stored) ? stored["metadata"] : undefined;
  const path = `${servers(namespace)}/${name}?fieldValidation=Strict&dryRun=All`;
  return verdict(cluster, "PUT", path, { ...document, metadata });
}

async function verdict(cluster: ClusterAccess, method: string, path: string, body: unknown, type = "application/json") {
  const answer = await cluster.request(method, path, { body, headers: { "content-type": type } });
  return { status: answer.status, problems: answer.status < 300 ? [] : problemsOf(JSON.parse(answer.body)) };
}

/** Texts of Kubernetes 1.30 that differ from those of the default version. A rejected value is shown as its type, such as "object". */
const wordings: readonly (readonly [RegExp, string])[] = [
  [/Invalid value: (?:"(?:[^"\\]|\\.)*"|-?[0-9.]+|true|false): /g, "Invalid value: "],
  [/Too long: may not be (?:more than (\d+) bytes|longer than (\d+))/g, "Too long: $1$2"],
  [/must have at most 1 items/g, "must have at most 1 item"],
  [/Duplicate value: map\[string\]interface \{\}/g, "Duplicate value: "],
];

/** A message as it is compared: as it is, or with another version of Kubernetes without the differences in wording. */
export const comparable = (problem: string): string =>
  process.env[kubernetesVersionVariable]
    ? wordings.reduce((text, [form, common]) => text.replaceAll(form, common), problem)
    : problem;

/** Messages besides structural problems: that rules were not evaluated, and replicas again, by the scale subresource. */
const echo =
  /some validation rules were not checked|^\.spec\.replicas: |^<nil>: Invalid value: "": Checked value must be/;

function problemsOf(status: unknown): string[] {
  const { message, details } = isObject(status) ? status : {};
  const causes = isObject(details) && Array.isArray(details["causes"]) ? details["causes"].filter(isObject) : [];
  const named = causes.map((cause) => `${String(cause["field"])}: ${String(cause["message"])}`);
  if (named.length > 0) return named.filter((problem) => !echo.test(problem));
  const text = String(message);
  const unknown = /strict decoding error: (.*)$/s.exec(text)?.[1];
  return unknown === undefined ? [text] : unknown.split(", ");
}

function pluralOf(document: Document): string {
  if (document["kind"] === "MlflowBackup") return "mlflowbackups";
  if (document["kind"] === "MlflowBackupSchedule") return "mlflowbackupschedules";
  return document["kind"] === "MlflowWorkspaceAccess" ? "mlflowworkspaceaccesses" : "mlflowservers";
}

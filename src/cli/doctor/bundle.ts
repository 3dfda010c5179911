import type { MlflowServer } from "../../api/server.ts";
import type { ApiClient } from "../../kube/client/api-client.ts";
import { type Kind, kindsWith, resourcePath, rowOf } from "../../kube/kinds.ts";
import type { Pod } from "../../kube/manifests.ts";
import { label, managedSelector } from "../../kube/names.ts";
import type { KubeObject } from "../../kube/object.ts";
import { eventsOf } from "../live/events.ts";
import { readFailure, readList } from "../live/read.ts";
import type { Checked } from "./checks.ts";
import type { DoctorFacts } from "./facts.ts";
import { redactedObject, redaction } from "./redaction.ts";
import type { SecretData } from "./referenced-content.ts";

/** What a support bundle consists of, before redaction. */
export interface BundleFacts {
  readonly version: string;
  readonly created: string;
  readonly server: MlflowServer;
  readonly findings: readonly Checked[];
  /** Objects of the server, without Secrets. */
  readonly objects: readonly KubeObject[];
  readonly events: unknown;
  readonly logs: readonly PodLog[];
  readonly notRead: readonly string[];
}

export interface PodLog {
  readonly pod: string;
  readonly container: string;
  /** Whether it is of the container before its last restart. */
  readonly isPrevious: boolean;
  readonly lines: readonly string[];
}

/** Returns the content of a support bundle. No value of these Secrets, and nothing that looks like a secret, is in it. */
export function supportBundle(facts: BundleFacts, secrets: readonly SecretData[]): unknown {
  const redact = redaction(secrets);
  const { logs, objects, ...others } = facts;
  const withoutSecrets = objects.filter(({ kind }) => kind !== "Secret");
  return {
    ...Object(redactedObject(others, redact)),
    objects: redactedObject(withoutSecrets, redact),
    logs: logs.map(({ lines, ...log }) => ({ ...log, text: redact(lines.join("\n")) })),
  };
}

/** Last lines of the log of each container. */
const logLines = 200;

/** Reads what a support bundle has in addition to the facts of the checks. */
export async function readBundle(
  client: ApiClient,
  facts: DoctorFacts,
): Promise<Pick<BundleFacts, "objects" | "events" | "logs" | "notRead">> {
  const { server, namespace, pods, events } = facts;
  const notRead = [pods, events].flatMap((read) => ("notRead" in read ? [read.notRead] : []));
  const objects: KubeObject[] = [];
  for (const kind of bundledKinds()) {
    const read = await readList<KubeObject>(
      client,
      { path: resourcePath(kind, namespace), text: `${rowOf(kind).plural} in namespace ${namespace}` },
      { labelSelector: `${managedSelector},${label.server}=${server.metadata.name}` },
    );
    if ("notRead" in read) notRead.push(read.notRead);
    else objects.push(...read.value.map((object) => ({ ...object, apiVersion: rowOf(kind).apiVersion, kind })));
  }
  const running = "value" in pods ? pods.value : [];
  const logs: PodLog[] = [];
  for (const pod of running)
    for (const source of logSources(pod)) {
      const lines = await readLog(client, pod, source);
      if (typeof lines === "string") notRead.push(lines);
      else logs.push({ pod: pod.metadata.name, ...source, lines });
    }
  return {
    objects: [...objects, ...running.map((pod): Pod => ({ ...pod, apiVersion: "v1", kind: "Pod" }))],
    events: "value" in events ? eventsOf(events.value, { namespace, name: server.metadata.name }) : [],
    logs,
    notRead,
  };
}

/** The kinds of the server's objects in its namespace. */
function bundledKinds(): Kind[] {
  return kindsWith("owned").filter((kind) => kind !== "Secret" && rowOf(kind).scope === undefined);
}

function logSources({ spec, status }: Pod): Pick<PodLog, "container" | "isPrevious">[] {
  const names = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map(({ name }) => name);
  const restarted = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].filter(
    ({ restartCount }) => restartCount > 0,
  );
  return [
    ...names.map((container) => ({ container, isPrevious: false })),
    ...restarted.map(({ name }) => ({ container: name, isPrevious: true })),
  ];
}

/** The last lines of a log, or why it was not read. */
async function readLog(
  client: ApiClient,
  { metadata }: Pod,
  { container, isPrevious }: Pick<PodLog, "container" | "isPrevious">,
): Promise<string[] | string> {
  const lines: string[] = [];
  const path = resourcePath("Pod", metadata.namespace, metadata.name, "log");
  try {
    const query = { container, tailLines: logLines, limitBytes: 262_144, ...(isPrevious && { previous: true }) };
    await client.stream({ method: "GET", path, query }, 30, (line) => void lines.push(line));
    return lines;
  } catch (error) {
    return readFailure(error, "get", `the log of ${container} in Pod/${metadata.name}`);
  }
}

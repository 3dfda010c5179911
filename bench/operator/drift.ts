import { setTimeout as sleep } from "node:timers/promises";
import { label } from "../../src/kube/names.ts";
import { type KubeObject, objectText } from "../../src/kube/object.ts";
import type { ClusterAccess } from "../../test/control-plane/cluster-access.ts";
import type { Call } from "../../test/support/audit-log.ts";
import { adminRequest, mergePatch } from "../admin-request.ts";
import { atMost, type Figure } from "../figure.ts";
import { callsOf, type Measuring, textOf } from "./measuring.ts";
import { ownedBy, pathOf } from "./servers.ts";

const jsonPatch = "application/json-patch+json";

/** A change of an object of the operator by another client, and a check whether it was repaired. */
interface Drift {
  readonly name: string;
  readonly apply: (cluster: ClusterAccess, object: KubeObject) => Promise<unknown>;
  readonly isRepaired: (live: KubeObject, before: KubeObject) => boolean;
}

const relabelled: Drift = {
  name: "label changed",
  apply: (cluster, object) =>
    adminRequest(
      cluster,
      "PATCH",
      pathOf(object),
      { metadata: { labels: { [label.application]: "drift" } } },
      mergePatch,
    ),
  isRepaired: (live) => live.metadata.labels?.[label.application] !== "drift",
};

const deleted: Drift = {
  name: "deleted",
  apply: (cluster, object) => adminRequest(cluster, "DELETE", pathOf(object)),
  isRepaired: (live, before) => live.metadata.uid !== before.metadata.uid,
};

/** By kind, a JSON patch of essential content; the field is restored by a repair. */
const contents: Readonly<Record<string, { path: string; value: unknown }>> = {
  ServiceAccount: { path: "/automountServiceAccountToken", value: true },
  Service: { path: "/spec/selector", value: { app: "drift" } },
  Deployment: { path: "/spec/template/spec/containers/0/image", value: "registry.example.com/drift" },
  Secret: { path: "/data", value: { drift: "ZHJpZnQ=" } },
  ConfigMap: { path: "/data", value: { drift: "drift" } },
};

const changed: Drift = {
  name: "content changed",
  apply: (cluster, object) => {
    const content = contents[object.kind];
    return adminRequest(cluster, "PATCH", pathOf(object), content ? [{ op: "add", ...content }] : [], jsonPatch);
  },
  isRepaired: (live) => {
    const content = contents[live.kind];
    return content === undefined || at(live, content.path) !== JSON.stringify(content.value);
  },
};

function at(object: object, path: string): string {
  const found = path
    .split("/")
    .slice(1)
    .reduce(
      (value: unknown, key) => (typeof value === "object" && value ? Reflect.get(value, key) : undefined),
      object,
    );
  return JSON.stringify(found);
}

/** Generated Secrets are never overwritten. A completed Job is no longer needed: the status has its result. */
function fitting(object: KubeObject): readonly Drift[] {
  if (object.kind === "Job") return [];
  return isGenerated(object) ? [relabelled] : [relabelled, changed, deleted];
}

/** Generated keys and passwords, which remain after the server is deleted. */
const isGenerated = (object: KubeObject) =>
  object.kind === "Secret" && (object.metadata.ownerReferences ?? []).length === 0;

interface Outcome {
  readonly drift: string;
  readonly repaired: boolean;
  /** Writes of objects. */
  readonly repairs: readonly string[];
  /** Writes of status and Events, if the server became unavailable. */
  readonly reports: readonly string[];
}

/** Changes and deletes each object of one server as another client. */
export async function drift(measuring: Measuring): Promise<readonly Figure[]> {
  const objects = await ownedBy(measuring.cluster, "one", "mlflow");
  const outcomes: Outcome[] = [];
  for (const object of objects)
    for (const kindOfDrift of fitting(object)) outcomes.push(await outcomeOf(measuring, object, kindOfDrift));
  const unrepaired = outcomes.filter(({ repaired }) => !repaired).map(({ drift }) => drift);
  const { most, worst } = largest(outcomes);
  const lost: Outcome[] = [];
  for (const object of objects.filter(isGenerated)) lost.push(await outcomeOf(measuring, object, deleted));
  return [
    atMost(
      `drifts without repair, of ${outcomes.length} (each object: labels, content, deletion)`,
      unrepaired.length,
      0,
      {
        detail: unrepaired,
      },
    ),
    atMost("calls to repair a drift, the worst", most, 2, { note: worst, detail: outcomes }),
    {
      ...atMost("calls when a generated Secret is lost, the worst", largest(lost).most, 0, { detail: lost }),
      target: "–",
      met: undefined,
    },
  ];
}

function largest(outcomes: readonly Outcome[]): { most: number; worst: string } {
  const most = Math.max(...outcomes.map(({ repairs }) => repairs.length));
  const worst = outcomes.filter(({ repairs }) => repairs.length === most);
  return { most, worst: worst.length > 2 ? `${worst.length} of them` : worst.map(({ drift }) => drift).join(", ") };
}

async function outcomeOf(measuring: Measuring, previous: KubeObject, kindOfDrift: Drift): Promise<Outcome> {
  const { cluster, log } = measuring;
  // The state after the previous drift.
  const object: KubeObject = {
    ...(await adminRequest<KubeObject>(cluster, "GET", pathOf(previous))),
    kind: previous.kind,
  };
  const since = await log.mark();
  await kindOfDrift.apply(cluster, object);
  let repaired = false;
  for (const deadline = performance.now() + 5000; !repaired && performance.now() < deadline; await sleep(50)) {
    const answer = await cluster.request("GET", pathOf(object));
    repaired =
      answer.status === 200 && kindOfDrift.isRepaired({ ...JSON.parse(answer.body), kind: object.kind }, object);
  }
  await sleep(1500);
  const isReport = ({ resource, subresource }: Call) => resource === "events" || subresource === "status";
  const calls = await callsOf(measuring, since);
  return {
    drift: `${objectText(object)} ${kindOfDrift.name}`,
    repaired,
    repairs: calls.filter((call) => !isReport(call)).map(textOf),
    reports: calls.filter(isReport).map(textOf),
  };
}

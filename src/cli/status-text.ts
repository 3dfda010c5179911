import { age } from "./live/age.ts";
import { table } from "./output.ts";
import type { StatusView } from "./status-view.ts";

/** Returns a server on one screen. */
export function statusText(view: StatusView, now: Date): string {
  const { conditions, pods, events, notRead } = view;
  return [
    rows(summary(view, now)),
    section(
      "Conditions",
      ["TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"],
      conditions.map(({ type, status, reason, since, message, isOutdated }) => [
        type,
        status,
        reason,
        age(since, now),
        isOutdated ? `${message} (of an earlier generation)` : message,
      ]),
    ),
    section(
      "Pods",
      ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "NODE"],
      pods.map(({ name, ready, state, restarts, created, node }) => [
        name,
        ready,
        state,
        String(restarts),
        age(created, now),
        node,
      ]),
    ),
    section(
      "Events",
      ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"],
      events.map(({ lastSeen, type, reason, object, count, message }) => [
        age(lastSeen, now),
        type,
        reason,
        object,
        count > 1 ? `${message} (${count} times)` : message,
      ]),
    ),
    notRead.length === 0 ? "" : `\nNot read\n${notRead.map((each) => `${each}.\n`).join("")}`,
  ].join("");
}

function summary(view: StatusView, now: Date): (readonly [string, string | undefined])[] {
  const { version, replicas, migration, rollout, upgrade, workspaces, message } = view;
  const isChanging = version.current !== undefined && version.current !== version.wanted;
  return [
    ["MlflowServer", `${view.namespace}/${view.name}`],
    ["State", view.state === view.reason ? view.state : `${view.state} (${view.reason})`],
    ["", message === "" ? undefined : message],
    ["Age", age(view.created, now)],
    ["Version", isChanging ? `${version.current}; the spec has ${version.wanted}` : version.wanted],
    [
      "Upgrade",
      upgrade &&
        `${upgrade.phase}: ${upgrade.from} to ${upgrade.to}${upgrade.waitingFor === undefined ? "" : `, waiting for ${upgrade.waitingFor}`}`,
    ],
    ["Replicas", `${replicas.ready} of ${replicas.wanted} ready`],
    ["URL", view.url],
    ["Service", view.serviceURL === view.url ? undefined : view.serviceURL],
    [
      "Authentication",
      view.authentication &&
        `${view.authentication}${view.adminSecret === undefined ? "" : `; administrator in Secret/${view.adminSecret}`}`,
    ],
    ["Database", view.database],
    ["Artifacts", view.artifacts],
    [
      "Migration",
      migration &&
        `${migration.phase}: ${migration.version}, Job/${migration.job}${migration.jobState === undefined ? "" : ` (${migration.jobState})`}`,
    ],
    ["Rollout", rollout && `${rollout.phase}: revision ${rollout.revision}`],
    [
      "Workspaces",
      workspaces &&
        `${workspaces.ready} of ${workspaces.total} ready; ${workspaces.grants} grants in spec.workspaces.access`,
    ],
    ["Operator", view.operator],
  ];
}

/** Names and values in two columns, without values that are absent. */
function rows(entries: readonly (readonly [name: string, value: string | undefined])[]): string {
  return entries.map(([name, value]) => (value === undefined ? "" : `${name.padEnd(15)} ${value}\n`)).join("");
}

function section(title: string, head: readonly string[], cells: readonly (readonly string[])[]): string {
  return cells.length === 0 ? "" : `\n${title}\n${table(head, cells)}`;
}

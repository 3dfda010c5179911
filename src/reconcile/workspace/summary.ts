import type { MlflowServer } from "../../api/server.ts";
import type { Finding } from "../../kube/conditions.ts";
import type { Namespace } from "../../kube/manifests.ts";
import { label } from "../../kube/names.ts";
import { type Key, keyText } from "../../kube/object.ts";
import { workspacesOf } from "../../resources/workspaces.ts";
import type { Cause } from "../finding.ts";
import type { WorkspaceState } from "./reconcile-workspace.ts";

/** How a server's workspaces are, for its status. */
export interface WorkspaceSummary {
  readonly ready: number;
  readonly total: number;
  readonly finding: Finding;
  /** Namespaces have still to be looked at. */
  readonly isPartial: boolean;
}

/** What passes over namespaces have found. */
export interface WorkspaceChecks {
  /** Undefined where the namespace has not been checked since it changed. */
  readonly state: (name: string) => WorkspaceState | undefined;
  /** Why it cannot be checked, where passes fail for a while. */
  readonly failure?: (name: string) => string | undefined;
}

interface Situation extends WorkspaceChecks {
  /** The namespaces that consent to be workspaces of servers in the namespace of this one. */
  readonly consenting: readonly Namespace[];
  readonly namespace: (name: string) => Namespace | undefined;
}

/** How many namespaces a message names. */
const namesShown = 8;

/** What is the case in all workspaces of a server, and in those that it names though they are none. */
export function summaryOf(
  server: MlflowServer,
  { consenting, namespace, state, failure = () => undefined }: Situation,
): WorkspaceSummary {
  const key: Key = { namespace: server.metadata.namespace ?? "default", name: server.metadata.name };
  const served = workspacesOf(server, consenting).filter(
    (name) => namespace(name)?.metadata.deletionTimestamp === undefined,
  );
  const named = new Set((server.spec.workspaces?.access ?? []).flatMap((grant) => grant.namespaces ?? []));
  const waiting = [...named].filter((name) => !served.includes(name)).sort();
  const causes = served.map((name) => ({ name, cause: state(name)?.get(keyText(key)) }));
  const ready = causes.filter(({ cause }) => cause === "ready").length;
  const unchecked = causes.filter(({ cause }) => cause === undefined).map(({ name }) => name);
  const failing = unchecked.filter((name) => failure(name) !== undefined);
  const wrong = causes.flatMap(({ name, cause }) =>
    cause === undefined || cause === "ready" ? [] : [{ name, cause }],
  );
  const total = served.length + waiting.length;
  const type = "WorkspacesReady";
  const found = [...troubles(wrong), ...consentMissing(waiting, namespace, key.namespace)];
  const [first] = found;
  const [failed] = failing;
  const finding: Finding =
    first === undefined
      ? failed === undefined
        ? settled(total, ready, key.namespace)
        : { type, status: "Unknown", reason: "NotChecked", message: failureText(failing, failure(failed)) }
      : { type, status: "False", reason: first.reason, message: found.map(({ message }) => message).join(". ") };
  return { ready, total, finding, isPartial: unchecked.length > failing.length };
}

function failureText(names: readonly string[], why = "no details"): string {
  return `${listed(names)} cannot be checked: ${why.slice(0, 300)}. The operator retries`;
}

function settled(total: number, ready: number, host: string): Finding {
  const type = "WorkspacesReady";
  if (total === 0) {
    const message = `No namespace is labeled as a workspace of servers in namespace ${host}, so MLflow serves none. Label one: kubectl label namespace <name> ${label.workspaceOf}=${host}`;
    return { type, status: "False", reason: "WorkspaceOptInMissing", message };
  }
  const message = `${ready} of ${total} workspaces are ready`;
  if (ready < total) return { type, status: "False", reason: "Progressing", message };
  return { type, status: "True", reason: "WorkspacesReady", message };
}

/** One sentence for each reason, with the first namespace's words and the names of all. */
function troubles(wrong: readonly { readonly name: string; readonly cause: Cause }[]): Cause[] {
  const alike = Map.groupBy(wrong, ({ cause }) => cause.reason);
  return [...alike].flatMap(([reason, all]) => {
    const [first] = all;
    if (first === undefined) return [];
    return { reason, message: `in ${listed(all.map(({ name }) => name))}: ${first.cause.message}` };
  });
}

function consentMissing(waiting: readonly string[], namespace: Situation["namespace"], host: string): Cause[] {
  const [first] = waiting;
  if (first === undefined) return [];
  const chosen = waiting.filter((name) => namespace(name)?.metadata.labels?.[label.workspaceOf] === host);
  const strange = waiting.filter((name) => !chosen.includes(name));
  const causes: Cause[] = [];
  if (strange.length > 0) {
    causes.push({
      reason: "WorkspaceOptInMissing",
      message: `${listed(strange)} ${strange.length === 1 ? "does not exist or is not labeled as a workspace" : "do not exist or are not labeled as workspaces"} of servers in namespace ${host}, so nothing is granted there. An administrator of the namespace can label it: kubectl label namespace ${strange[0]} ${label.workspaceOf}=${host}`,
    });
  }
  if (chosen.length > 0) {
    causes.push({
      reason: "WorkspaceNotServed",
      message: `${listed(chosen)}: spec.workspaces.access grants access to a namespace that MLflow does not serve: spec.workspaces.selector does not match its labels, or it is a namespace of the cluster itself. Label the namespace, or name another`,
    });
  }
  return causes;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, namesShown).join(", ");
  const word = names.length === 1 ? "namespace" : "namespaces";
  return names.length > namesShown ? `${word} ${shown} and ${names.length - namesShown} more` : `${word} ${shown}`;
}

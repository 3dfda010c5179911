import type { MlflowServer } from "../../api/server.ts";
import type { NewCondition } from "../../kube/conditions.ts";
import type { Namespace } from "../../kube/manifests.ts";
import { label } from "../../kube/names.ts";
import { type Key, keyText } from "../../kube/object.ts";
import { workspacesOf } from "../../model/workspaces.ts";
import type { Cause } from "../cause.ts";
import type { WorkspaceState } from "./reconcile-workspace.ts";

/** The state of a server's workspaces, for its status. */
export interface WorkspaceSummary {
  readonly ready: number;
  readonly total: number;
  readonly condition: NewCondition;
  /** Whether namespaces have still to be checked. */
  readonly isPartial: boolean;
}

/** Results of the reconciliations of namespaces. */
export interface WorkspaceChecks {
  /** Undefined if the namespace has not been checked since it changed. */
  readonly state: (name: string) => WorkspaceState | undefined;
  /** Why it cannot be checked, if reconciliations fail for some time. */
  readonly failure?: (name: string) => string | undefined;
}

interface WorkspaceView extends WorkspaceChecks {
  /** The namespaces that are labeled as workspaces of servers in the namespace of this server. */
  readonly optedInNamespaces: readonly Namespace[];
  readonly namespace: (name: string) => Namespace | undefined;
}

/** The maximum number of namespaces that a message lists. */
const namesShown = 8;

/** The summary of all workspaces of a server, and of namespaces that its spec names and that are not its workspaces. */
export function summaryOf(
  server: MlflowServer,
  { optedInNamespaces, namespace, state, failure = () => undefined }: WorkspaceView,
): WorkspaceSummary {
  const key: Key = { namespace: server.metadata.namespace, name: server.metadata.name };
  const served = workspacesOf(server, optedInNamespaces).filter(
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
  const found = [...failures(wrong), ...optInMissing(waiting, namespace, key.namespace)];
  const [first] = found;
  const [failed] = failing;
  const condition: NewCondition =
    first === undefined
      ? failed === undefined
        ? settled(total, ready, key.namespace)
        : { type, status: "Unknown", reason: "NotChecked", message: failureText(failing, failure(failed)) }
      : { type, status: "False", reason: first.reason, message: found.map(({ message }) => message).join(". ") };
  return { ready, total, condition, isPartial: unchecked.length > failing.length };
}

function failureText(names: readonly string[], why = "no details"): string {
  return `${listed(names)} cannot be checked: ${why.slice(0, 300)}. The operator retries`;
}

function settled(total: number, ready: number, host: string): NewCondition {
  const type = "WorkspacesReady";
  if (total === 0) {
    const message = `No namespace is labeled as a workspace of servers in namespace ${host}, so MLflow serves none. Label one: kubectl label namespace <name> ${label.workspaceOf}=${host}`;
    return { type, status: "False", reason: "WorkspaceOptInMissing", message };
  }
  const message = `${ready} of ${total} workspaces are ready`;
  if (ready < total) return { type, status: "False", reason: "Progressing", message };
  return { type, status: "True", reason: "WorkspacesReady", message };
}

/** One cause for each reason, with the first namespace's message and the names of all. */
function failures(wrong: readonly { readonly name: string; readonly cause: Cause }[]): Cause[] {
  const alike = Map.groupBy(wrong, ({ cause }) => cause.reason);
  return [...alike].flatMap(([reason, all]) => {
    const [first] = all;
    if (first === undefined) return [];
    return { reason, message: `in ${listed(all.map(({ name }) => name))}: ${first.cause.message}` };
  });
}

function optInMissing(waiting: readonly string[], namespace: WorkspaceView["namespace"], host: string): Cause[] {
  const [first] = waiting;
  if (first === undefined) return [];
  const labeled = waiting.filter((name) => namespace(name)?.metadata.labels?.[label.workspaceOf] === host);
  const unlabeled = waiting.filter((name) => !labeled.includes(name));
  const causes: Cause[] = [];
  if (unlabeled.length > 0) {
    causes.push({
      reason: "WorkspaceOptInMissing",
      message: `${listed(unlabeled)} ${unlabeled.length === 1 ? "does not exist or is not labeled as a workspace" : "do not exist or are not labeled as workspaces"} of servers in namespace ${host}, so nothing is granted there. An administrator of the namespace can label it: kubectl label namespace ${unlabeled[0]} ${label.workspaceOf}=${host}`,
    });
  }
  if (labeled.length > 0) {
    causes.push({
      reason: "WorkspaceNotServed",
      message: `${listed(labeled)}: spec.workspaces.access grants access to a namespace that MLflow does not serve: spec.workspaces.selector does not match its labels, or it is a namespace of the cluster itself. Label the namespace, or name another`,
    });
  }
  return causes;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, namesShown).join(", ");
  const word = names.length === 1 ? "namespace" : "namespaces";
  return names.length > namesShown ? `${word} ${shown} and ${names.length - namesShown} more` : `${word} ${shown}`;
}

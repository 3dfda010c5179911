import { excerpt } from "../../kube/excerpt.ts";
import { reasonsOf, serverConditions } from "../../reconcile/conditions/index.ts";
import { conditionOf, unhealthyConditions } from "../live/conditions.ts";
import { eventsOf } from "../live/events.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, notChecked, ok, problem, problemsOr } from "./finding.ts";

const reasons = new Map(Object.entries(reasonsOf(serverConditions)));

/** Conditions that have the message of another one: `Ready` has the cause. */
const derivedTypes: ReadonlySet<string> = new Set(["Stalled", "Reconciling"]);

/** The unhealthy conditions. */
export function checkConditions({ server }: DoctorFacts): readonly Finding[] {
  const object = `MlflowServer/${server.metadata.name}`;
  const unhealthy = unhealthyConditions(server);
  const ready = unhealthy.find(({ type }) => type === "Ready");
  const problems = unhealthy
    .filter(({ type }) => ready === undefined || !derivedTypes.has(type))
    .map(({ type, status, reason, message }) =>
      problem(
        object,
        `The condition ${type} is ${status} (${reason}): ${excerpt(message, 2000)}`,
        reasons.get(reason)?.meaning ?? "The server does not work as specified.",
        reasons.get(reason)?.remedy || "Follow the message; see docs/troubleshooting.md for the reason.",
      ),
    );
  return problemsOr(problems, ok("All conditions are healthy."));
}

/** Whether the operator has reported on the current spec. */
export function checkGeneration({ server }: DoctorFacts): readonly Finding[] {
  const object = `MlflowServer/${server.metadata.name}`;
  const { generation = 0 } = server.metadata;
  const observed = server.status?.observedGeneration;
  const fix =
    "Check that an operator runs and watches the namespace: kubectl get pods -A -l app.kubernetes.io/name=mlflow-operator.";
  if (observed === undefined)
    return [problem(object, "No operator has reported on the server.", "Nothing is applied for it.", fix)];
  if (observed < generation) {
    const message = `The status is about generation ${observed} of the spec, which is now ${generation}.`;
    return [problem(object, message, "The last changes of the spec are not applied yet.", fix)];
  }
  return [ok(`The status is about the current spec (generation ${generation}).`)];
}

/** Warnings about the server and its objects: since it has been ready, or of the last hour while it is not. */
export function checkEvents({ server, namespace, events, now }: DoctorFacts): readonly Finding[] {
  if ("notRead" in events) return [notChecked(events.notRead)];
  const ready = conditionOf(server, "Ready");
  const anHourAgo = now.getTime() - 3_600_000;
  const since = ready?.status === "True" ? Math.max(anHourAgo, Date.parse(ready.lastTransitionTime)) : anHourAgo;
  const warnings = eventsOf(events.value, { namespace, name: server.metadata.name }).filter(
    ({ type, lastSeen }) => type === "Warning" && Date.parse(lastSeen) > since,
  );
  const latest = [...new Map(warnings.toReversed().map((each) => [`${each.object} ${each.reason}`, each])).values()];
  const problems = latest.map(({ object, reason, message, count }) =>
    problem(
      object,
      `${reason}: ${message}${count > 1 ? ` (${count} times)` : ""}`,
      "Kubernetes or the operator could not do what the server needs.",
      "Follow the message of the Event.",
    ),
  );
  return problemsOr(problems, ok("There are no recent warnings about the server or its objects."));
}

import { excerpt } from "../../kube/excerpt.ts";
import type { Deployment } from "../../kube/manifests.ts";
import { label, manager } from "../../kube/names.ts";
import { age } from "../live/age.ts";
import type { Read } from "../live/read.ts";
import type { DoctorFacts } from "./facts.ts";
import { type Finding, notChecked, ok, problem } from "./finding.ts";

/** Whether the operator that manages the server runs, by its Lease, and which version it has. */
export function checkOperator({ server, lease, operators, now }: DoctorFacts): readonly Finding[] {
  const named = server.status?.operator;
  if (lease === undefined || named === undefined)
    return [notChecked("The status names no operator: it has not reported, or runs without leader election")];
  if ("notRead" in lease) return [notChecked(lease.notRead)];
  const object = `Lease/${named}`;
  const effect = "Changes of the spec are not applied, and failures are not repaired. Running pods are not affected.";
  const fix = `Check its pods: kubectl get pods -n ${named.split("/")[0]}. If it was removed, install it again.`;
  if (lease.value === undefined) return [problem(object, "The Lease of the operator does not exist.", effect, fix)];
  const { holderIdentity, renewTime = "", leaseDurationSeconds = 15 } = lease.value.spec ?? {};
  const seconds = (now.getTime() - Date.parse(renewTime)) / 1000;
  if (!holderIdentity) return [problem(object, "No operator holds the Lease.", effect, fix)];
  // The clocks of this machine and of the operator differ.
  if (!(seconds < leaseDurationSeconds + 60)) {
    const message = `The operator last renewed its Lease ${age(renewTime, now)} ago.`;
    return [problem(object, message, effect, fix)];
  }
  return [ok(`The operator runs: ${excerpt(holderIdentity, 128)} holds ${object}${versionText(operators)}.`)];
}

function versionText(operators: Read<readonly Deployment[]> | undefined): string {
  if (operators === undefined || "notRead" in operators) return "";
  const versions = operators.value.flatMap(({ metadata }) =>
    metadata.labels?.[label.application] === manager ? [metadata.labels[label.version] ?? []] : [],
  );
  return versions.length === 0 ? "" : `, version ${excerpt([...new Set(versions.flat())].join(", "), 128)}`;
}

/** Whether an operator upgrade has reached the server. */
export function checkOperatorUpgrade({ server, operators }: DoctorFacts): readonly Finding[] {
  const pending = server.status?.conditions?.find(({ type, status }) => type === "UpgradePending" && status === "True");
  if (pending !== undefined)
    return [
      problem(
        `MlflowServer/${server.metadata.name}`,
        `The operator has not changed the pods to its own version yet: ${excerpt(pending.message, 500)}`,
        "The server runs as the previous version of the operator has set it up.",
        "Wait; if the reason is UpgradeStopped, repair the server that the message names.",
      ),
    ];
  if (operators === undefined) return [notChecked("The status names no operator")];
  if ("notRead" in operators) return [notChecked(operators.notRead)];
  const versions = new Set(
    operators.value.flatMap(({ metadata }) =>
      metadata.labels?.[label.application] === manager ? [metadata.labels[label.version]] : [],
    ),
  );
  if (versions.size === 0)
    return [
      notChecked("No Deployment with the label app.kubernetes.io/name=mlflow-operator in the namespace of the Lease"),
    ];
  return [ok("The objects of the server are those of the operator's version.")];
}

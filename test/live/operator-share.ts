import assert from "node:assert/strict";
import { auditLog, type Call, type Mark } from "../support/audit-log.ts";
import type { LiveFixture } from "./live-fixture.ts";

/** The events from the creation of a server to the report that it is ready, in the order in which the API server received them. */
export interface Start {
  readonly applied: Call;
  readonly jobCreated: Call;
  /** The last change of the Job's status by its controller before the Deployment. */
  readonly jobEnded: Call;
  readonly deploymentCreated: Call;
  /** The last change of the Deployment's status by its controller before the report. */
  readonly deploymentReady: Call;
  readonly reported: Call;
}

/** Reads the events of the first server of the fixture since `since`, which must be Ready. */
export async function startOf({ cluster, namespace, operatorIdentity }: LiveFixture, since: Mark): Promise<Start> {
  // The audit log is in the order of the answers, and controllers write at the same time as the operator.
  const calls = (await auditLog(cluster).calls({ since }))
    .filter((call) => call.namespace === namespace && call.code < 300 && !["get", "list", "watch"].includes(call.verb))
    .sort((one, other) => one.time.getTime() - other.time.getTime());
  const find = (what: string, from: number, by: (call: Call) => boolean) => {
    const index = calls.findIndex((call, at) => at >= from && by(call));
    assert.ok(index >= 0, `the audit log does not show that ${what}`);
    return index;
  };
  const last = (what: string, before: number, by: (call: Call) => boolean) => {
    const index = calls.findLastIndex((call, at) => at < before && by(call));
    assert.ok(index >= 0, `the audit log does not show that ${what}`);
    return index;
  };
  const isOperator = ({ user }: Call) => user === operatorIdentity.user;
  const of = (resource: string, subresource: string) => (call: Call) =>
    call.resource === resource && call.subresource === subresource;
  const created = (resource: string) => (call: Call) => isOperator(call) && of(resource, "")(call);
  const applied = find("a server was applied", 0, (call) => of("mlflowservers", "")(call) && !isOperator(call));
  const job = find("the Job was created", applied, created("jobs"));
  const deployment = find("the Deployment was created", job, created("deployments"));
  const reported = calls.findLastIndex((call) => isOperator(call) && of("mlflowservers", "status")(call));
  const jobEnded = last("the Job ended", deployment, (call) => of("jobs", "status")(call));
  const ready = last("the Deployment became ready", reported, (call) => of("deployments", "status")(call));
  const at = (index: number): Call => {
    const call = calls[index];
    assert.ok(call !== undefined);
    return call;
  };
  return {
    applied: at(applied),
    jobCreated: at(job),
    jobEnded: at(jobEnded),
    deploymentCreated: at(deployment),
    deploymentReady: at(ready),
    reported: at(reported),
  };
}

/** Returns the milliseconds during which the operator had to act: the rest is the time of the Job and of the pods. */
export function operatorShare(start: Start) {
  const between = (from: Call, to: Call) => to.time.getTime() - from.time.getTime();
  const parts = {
    "from apply to the Job": between(start.applied, start.jobCreated),
    "from the Job's end to the Deployment": between(start.jobEnded, start.deploymentCreated),
    "from ready pods to the report": between(start.deploymentReady, start.reported),
  };
  return { parts, sum: Object.values(parts).reduce((sum, part) => sum + part, 0) };
}

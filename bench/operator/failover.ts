import { setTimeout as sleep } from "node:timers/promises";
import { resourcePath } from "../../src/kube/kinds.ts";
import { label } from "../../src/kube/names.ts";
import type { ControlPlane } from "../../test/control-plane/control-plane.ts";
import type { AuditLog, Call } from "../../test/support/audit-log.ts";
import { adminRequest, mergePatch } from "../admin-request.ts";
import { atMost, type Figure } from "../figure.ts";
import { userOf } from "./installation.ts";
import type { OperatorProcess } from "./operator-process.ts";

/** Measures, with the server of the namespace `quick`, the time from a signal to the leader until the other operator makes a repair. Starts and stops both. */
export async function failover(
  cluster: ControlPlane,
  log: AuditLog,
  start: () => Promise<readonly OperatorProcess[]>,
  signal: "SIGTERM" | "SIGKILL",
  mostSeconds: number,
): Promise<Figure> {
  const operators = await start();
  const leader = await leaderOf(operators);
  const other = operators.find((operator) => operator !== leader);
  if (other === undefined) throw new Error("Failover needs two operators.");
  await sleep(3000);
  const since = await log.mark();
  const began = Date.now();
  leader.signal(signal);
  let first: Call | undefined;
  for (let n = 0; first === undefined && Date.now() - began < 60_000; n += 1) {
    const labels = { [label.application]: `drift-${n}` };
    await adminRequest(
      cluster,
      "PATCH",
      resourcePath("Service", "quick", "mlflow"),
      { metadata: { labels } },
      mergePatch,
    );
    const calls = await log.calls({ since, user: userOf(other.account) });
    first = calls.find(({ verb, resource }) => verb === "patch" && resource === "services");
    await sleep(50);
  }
  for (const operator of operators) operator.signal("SIGKILL");
  await Promise.all(operators.map(({ ended }) => ended));
  const seconds = first === undefined ? Number.POSITIVE_INFINITY : (first.time.getTime() - began) / 1000;
  return atMost(`fail-over on ${signal}`, seconds, mostSeconds, { unit: "s", digits: 2 });
}

async function leaderOf(operators: readonly OperatorProcess[]): Promise<OperatorProcess> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(200)) {
    const leader = operators.find(({ leads }) => leads());
    if (leader !== undefined) return leader;
  }
  throw new Error("No operator is the leader after 60 s.");
}

import type { ControlPlane } from "../../test/control-plane/control-plane.ts";
import type { AuditLog, Call, Mark } from "../../test/support/audit-log.ts";
import type { CountingRelay } from "../relay.ts";
import { userOf } from "./installation.ts";
import type { OperatorProcess } from "./operator-process.ts";

/** What a measurement of one running operator needs. */
export interface Measuring {
  readonly cluster: ControlPlane;
  readonly log: AuditLog;
  /** Between the operator and the API server. */
  readonly relay: CountingRelay;
  readonly operator: OperatorProcess;
}

/** Calls of an operator since then, but for its watches, their lists, and its Lease. */
export async function callsOf({ log, operator }: Measuring, since: Mark): Promise<readonly Call[]> {
  return log.calls({
    since,
    user: userOf(operator.account),
    exclude: ({ verb, resource }) => verb === "watch" || verb === "list" || resource === "leases",
  });
}

/** As in `POST services`, for people. */
export const textOf = ({ verb, resource, subresource, name }: Call) =>
  `${verb} ${resource}${subresource && `/${subresource}`} ${name}`.trim();

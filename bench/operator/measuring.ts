import type { ControlPlane } from "../../test/control-plane/control-plane.ts";
import type { AuditLog, Call, Mark } from "../../test/support/audit-log.ts";
import type { CountingRelay } from "../relay.ts";
import { userOf } from "./installation.ts";
import type { OperatorProcess } from "./operator-process.ts";

/** The environment for measurements of one running operator. */
export interface Measuring {
  readonly cluster: ControlPlane;
  readonly log: AuditLog;
  /** The relay between the operator and the API server. */
  readonly relay: CountingRelay;
  readonly operator: OperatorProcess;
}

/** Returns the requests of an operator since then, except watches, their lists, and the Lease. */
export async function callsOf({ log, operator }: Measuring, since: Mark): Promise<readonly Call[]> {
  return log.calls({
    since,
    user: userOf(operator.account),
    exclude: ({ verb, resource }) => verb === "watch" || verb === "list" || resource === "leases",
  });
}

/** Returns a request as text, such as `POST services`. */
export const textOf = ({ verb, resource, subresource, name }: Call) =>
  `${verb} ${resource}${subresource && `/${subresource}`} ${name}`.trim();

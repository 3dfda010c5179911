import { type ReasonRow, reasons } from "../../api/reasons.ts";
import { available } from "./available.ts";
import type { ServerCondition } from "./condition.ts";
import { databaseReady } from "./database-ready.ts";
import { endpointSecured } from "./endpoint-secured.ts";
import { garbageCollectionReady } from "./garbage-collection-ready.ts";
import { exposed, meshReady } from "./network.ts";
import { paused } from "./paused.ts";
import { rotationPending, upgradePending } from "./pending.ts";
import { restored } from "./restored.ts";
import { stateConditions } from "./state.ts";
import { workspacesReady } from "./workspaces-ready.ts";

/** The conditions of an MlflowServer, in the order in which they are reported. */
export const serverConditions: readonly ServerCondition[] = [
  ...stateConditions,
  databaseReady,
  restored,
  meshReady,
  exposed,
  available,
  endpointSecured,
  paused,
  upgradePending,
  rotationPending,
  garbageCollectionReady,
  workspacesReady,
];

/** All reasons of these conditions: those that several of them have, and those of one. */
export function reasonsOf(conditions: readonly ServerCondition[]): Readonly<Record<string, ReasonRow>> {
  return Object.assign({ ...reasons }, ...conditions.map((condition) => condition.reasons));
}

import type { MlflowServer, MlflowServerStatus } from "../api/server.ts";
import type { CronJob, Owned, Pod } from "../kube/manifests.ts";
import { objectNames } from "../model/names.ts";
import type { Cause } from "./cause.ts";
import { podFailure } from "./pod-failure.ts";
import { podsOf } from "./server-workload.ts";

/** What the program of a Job reports. */
export interface Collected {
  readonly runs: number;
  readonly models: number;
  readonly experiments: number;
  readonly kept: number;
  readonly dryRun: boolean;
}

/** The last Job of the garbage collection. */
export interface LastCollection {
  readonly times: Pick<NonNullable<MlflowServerStatus["garbageCollection"]>, "lastScheduleTime" | "lastSuccessfulTime">;
  /** Undefined if its pod is gone, or has reported nothing. */
  readonly collected: Collected | undefined;
  /** Undefined while none has ended. */
  readonly state: "succeeded" | "failed" | undefined;
  /** Why it failed, if its pod shows it. */
  readonly cause: Cause | undefined;
}

/** Returns the state of the last Job, by the CronJob's status and the pod of the Job, which the history of the CronJob keeps. */
export function lastCollection(owned: readonly Owned[], { metadata }: MlflowServer): LastCollection {
  const name = objectNames.garbageCollection(metadata.name);
  const cronJob = owned.find((each): each is CronJob => each.kind === "CronJob" && each.metadata.name === name);
  const { lastScheduleTime, lastSuccessfulTime, active = [] } = cronJob?.status ?? {};
  const [pod] = podsOf("garbage-collection", owned);
  const cause = pod && podFailure([pod]);
  const ended = pod && endOf(pod);
  const isNewest = (time = "", ...others: readonly (string | undefined)[]) =>
    time !== "" && others.every((other = "") => Date.parse(time) >= Date.parse(other || "1970-01-01T00:00:00Z"));
  const hasSucceeded =
    isNewest(lastSuccessfulTime, lastScheduleTime, ended?.time) ||
    (ended?.isSuccess === true && isNewest(ended.time, lastScheduleTime));
  const hasFailed =
    (cause !== undefined && isNewest(ended?.time ?? pod?.metadata.creationTimestamp, lastScheduleTime)) ||
    (lastScheduleTime !== undefined && active.length === 0);
  return {
    times: {
      ...(lastScheduleTime !== undefined && { lastScheduleTime }),
      ...(lastSuccessfulTime !== undefined && { lastSuccessfulTime }),
    },
    collected: ended && collectedIn(ended.message),
    state: hasSucceeded ? "succeeded" : hasFailed ? "failed" : undefined,
    cause,
  };
}

function endOf({ status }: Pod) {
  const ended = status?.containerStatuses?.find(({ name }) => name === "garbage-collection")?.state?.terminated;
  if (ended === undefined) return undefined;
  // Times are text in JSON.
  const time = String(ended.finishedAt ?? "");
  return { time, isSuccess: ended.exitCode === 0, message: ended.message };
}

function collectedIn(message = ""): Collected | undefined {
  try {
    const report: unknown = JSON.parse(message);
    if (typeof report !== "object" || report === null) return undefined;
    const count = (name: string) => {
      const value: unknown = Reflect.get(report, name);
      return Number.isSafeInteger(value) ? Math.max(0, Math.min(Number(value), 2_147_483_647)) : 0;
    };
    if (!Object.hasOwn(report, "runs")) return undefined;
    const counts = { runs: count("runs"), models: count("models"), experiments: count("experiments") };
    return { ...counts, kept: count("kept"), dryRun: Reflect.get(report, "dryRun") === true };
  } catch {
    return undefined;
  }
}

import { HttpError } from "@kubernetes/client-node";
import type { Widget } from "../widget.ts";

/** The last arguments for a merge patch with @kubernetes/client-node 0.20. */
export const mergePatch = [
  undefined,
  undefined,
  undefined,
  undefined,
  undefined,
  { headers: { "Content-Type": "application/merge-patch+json" } },
] as const;

/** Returns the body of a response, or undefined if the object does not exist. */
export async function orUndefined<T>(answer: Promise<{ body: T }>): Promise<T | undefined> {
  try {
    return (await answer).body;
  } catch (error) {
    if (error instanceof HttpError && error.statusCode === 404) return undefined;
    throw error;
  }
}

export function isWidget(object: unknown): object is Widget {
  return typeof object === "object" && object !== null && "kind" in object && object.kind === "Widget";
}

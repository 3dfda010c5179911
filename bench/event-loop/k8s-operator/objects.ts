import { HttpError } from "@kubernetes/client-node";
import type { Widget } from "../widget.ts";

/** The last arguments of a patch of @kubernetes/client-node 0.20. */
export const mergePatch = [
  undefined,
  undefined,
  undefined,
  undefined,
  undefined,
  { headers: { "Content-Type": "application/merge-patch+json" } },
] as const;

/** The body of an answer, or undefined where there is no such object. */
export async function orNothing<T>(answer: Promise<{ body: T }>): Promise<T | undefined> {
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

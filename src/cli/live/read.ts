import type { ApiClient } from "../../kube/client/api-client.ts";
import { ApiError, messageOf } from "../../kube/errors.ts";
import { excerptWithoutStop } from "../../kube/excerpt.ts";

/** What was read from a cluster, or why it was not, as a sentence without a full stop. */
export type Read<T> = { readonly value: T } | { readonly notRead: string };

/** What was read; undefined if it was not. */
export function valueIn<T>(read: Read<T>): T | undefined {
  return "value" in read ? read.value : undefined;
}

/** What a request concerns, for messages: `pods in namespace team-a`, `Secret/database in namespace team-a`. */
interface Target {
  readonly path: string;
  readonly text: string;
}

/** Returns the items of a list, with the user's own rights. Never throws for a failed request. */
export async function readList<T>(
  client: ApiClient,
  { path, text }: Target,
  selectors: { readonly labelSelector?: string; readonly fieldSelector?: string } = {},
): Promise<Read<readonly T[]>> {
  try {
    const list = await client.request<{ items?: T[] | null }>({ method: "GET", path, query: { ...selectors } });
    return { value: list.items ?? [] };
  } catch (error) {
    return { notRead: readFailure(error, "list", text) };
  }
}

/** Returns an object with the user's own rights, or undefined as its value if it does not exist. */
export async function readObject<T>(client: ApiClient, { path, text }: Target): Promise<Read<T | undefined>> {
  try {
    return { value: await client.request<T>({ method: "GET", path }) };
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { value: undefined };
    return { notRead: readFailure(error, "get", text) };
  }
}

/** Why something was not read, as a sentence without a full stop. */
export function readFailure(error: unknown, verb: "get" | "list" | "watch", text: string): string {
  if (!(error instanceof ApiError)) return `${text}: ${excerptWithoutStop(messageOf(error))}`;
  if (error.status === 403 || error.status === 401) return `You are not allowed to ${verb} ${text}`;
  if (error.status === 404) return `The cluster has no ${text}`;
  return `The request to ${verb} ${text} failed: ${excerptWithoutStop(error.detail)}`;
}

import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { ownSchemas } from "../api/known-fields.ts";
import { type Skew, skewOf } from "../api/schema-skew.ts";
import { apiVersion } from "../api/server.ts";
import type { StructuralSchema } from "../api/structural-schema.ts";
import type { KnownKind } from "../api/unsupported-fields.ts";
import { isApiError } from "../kube/api-error.ts";
import { group } from "../kube/names.ts";
import type { ApiClient } from "./api-client.ts";

/** What is installed of our CustomResourceDefinitions, compared with what this operator was built with. */
export interface SchemaGuard {
  /** How a definition differs; asks the API server only where it may have changed. Throws ApiError where it cannot tell. */
  skew(kind: KnownKind): Promise<Skew>;
  /** A definition may have changed: the next question is put to the API server. */
  doubt(): void;
  /** {@link SchemaGuard.doubt}, and asks at once, so that a change is noticed without a pass. */
  recheck(): void;
  stop(): void;
}

/** What the API server publishes of our group: any user who is authenticated may read it, without a role of ours. */
const path = `/openapi/v3/apis/${apiVersion}`;

/** How often, and in what steps, to ask for what the API server has not published yet: a definition that has just come. */
const attempts = { count: 20, milliseconds: 250 };

/** Of a definition that is not installed. */
const absent: Skew = { missing: ["spec"], isSame: false };

/** What is expected, and no news: a definition that goes with the operator. */
const unknown: Skew = { missing: [], isSame: true };

interface Published {
  readonly components?: { readonly schemas?: Readonly<Record<string, StructuralSchema>> };
}

/** Seconds until a question that failed, and that no pass has put, is put again. */
const recheckSeconds = 5;

/** `onSkew` is told when what a definition lacks has changed, or whether it is the operator's own. */
export function schemaGuard(client: ApiClient, onSkew: (kind: KnownKind, skew: Skew) => void): SchemaGuard {
  const stopping = new AbortController();
  let isDoubtful = true;
  let etag: string | undefined;
  let known: ReadonlyMap<KnownKind, Skew> = new Map();
  let asking: Promise<void> | undefined;

  /** One question at a time, however many passes want to know. */
  async function ask(): Promise<void> {
    while (isDoubtful) {
      isDoubtful = false;
      try {
        await read();
      } catch (error) {
        isDoubtful = true;
        throw error;
      }
    }
  }

  async function read(): Promise<void> {
    const published = await publishedSchemas();
    if (published === undefined) return;
    const all = [...kinds].map((kind): [KnownKind, Skew] => {
      const schema = published.components?.schemas?.[schemaName(kind)];
      return [kind, schema === undefined ? absent : skewOf(ownSchemas[kind], schema)];
    });
    const changed: [KnownKind, Skew][] = [];
    for (const [kind, skew] of all) {
      if (!isDeepStrictEqual(skew, known.get(kind) ?? unknown)) changed.push([kind, skew]);
    }
    known = new Map(all);
    for (const [kind, skew] of changed) onSkew(kind, skew);
  }

  /** Undefined where it is the same as before. */
  async function publishedSchemas(): Promise<Published | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await client.request<Published>({
          method: "GET",
          path,
          signal: stopping.signal,
          ...(etag !== undefined && { headers: { "If-None-Match": etag } }),
          onHeaders: (answer) => {
            etag = answer.etag;
          },
        });
      } catch (error) {
        if (isApiError(error, 304)) return undefined;
        if (!isApiError(error, 404) || attempt >= attempts.count) throw error;
        await sleep(attempts.milliseconds);
      }
    }
  }

  async function certain(): Promise<void> {
    while (isDoubtful || asking !== undefined) {
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      await asking;
    }
  }

  function recheck(): void {
    isDoubtful = true;
    certain().catch(async () => {
      await sleep(recheckSeconds * 1000, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (isDoubtful && !stopping.signal.aborted) recheck();
    });
  }

  return {
    skew: async (kind) => {
      await certain();
      return known.get(kind) ?? absent;
    },
    doubt: () => {
      isDoubtful = true;
    },
    recheck,
    stop: () => stopping.abort(),
  };
}

const kinds: readonly KnownKind[] = ["MlflowServer", "MlflowWorkspaceAccess"];

/** As the API server names it: the group backwards, version and kind. */
function schemaName(kind: KnownKind): string {
  const version = apiVersion.slice(group.length + 1);
  return `${group.split(".").reverse().join(".")}.${version}.${String(kind)}`;
}

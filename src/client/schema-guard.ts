import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { CustomResource } from "../api/definitions.ts";
import { ownSchemas } from "../api/known-fields.ts";
import { type Skew, skewOf } from "../api/schema-skew.ts";
import { apiVersion } from "../api/server.ts";
import type { StructuralSchema } from "../api/structural-schema.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { isApiError } from "../kube/errors.ts";
import { type OwnKind, ownKinds } from "../kube/kinds.ts";
import { group } from "../kube/names.ts";

/** OpenAPI of the API group: readable for authenticated users without a role of the operator. */
const path = `/openapi/v3/apis/${apiVersion}`;

/** Retries while the API server has not published a new definition yet. */
const attempts = { count: 20, milliseconds: 250 };

/** For a definition that is not installed. */
const absent: Skew = { missing: ["spec"], isSame: false };

/** The assumption before the first read: the definition is that of the operator. */
const unknown: Skew = { missing: [], isSame: true };

interface Published {
  readonly components?: { readonly schemas?: Readonly<Record<string, StructuralSchema>> };
}

/** Seconds until a failed read is retried, if no reconciliation does so. */
const recheckSeconds = 5;

/** Compares the installed CustomResourceDefinitions with those of this build of the operator. Its methods can be used without it. */
export class SchemaGuard {
  readonly #client: ApiClient;
  readonly #onSkew: (kind: OwnKind, skew: Skew) => void;
  readonly #stopping = new AbortController();
  #isOutdated = true;
  #etag: string | undefined;
  #known: ReadonlyMap<OwnKind, Skew> = new Map();
  #asking: Promise<void> | undefined;

  /** `onSkew` is called when the difference of a definition has changed. */
  constructor(client: ApiClient, onSkew: (kind: OwnKind, skew: Skew) => void) {
    this.#client = client;
    this.#onSkew = onSkew;
  }

  /** Returns how a definition differs. Requests it only if it may have changed. Throws ApiError if it cannot be read. */
  readonly skew = async (kind: OwnKind): Promise<Skew> => {
    await this.#certain();
    return this.#known.get(kind) ?? absent;
  };

  /** A definition may have changed: the next call of `skew` reads it again. */
  invalidate(): void {
    this.#isOutdated = true;
  }

  /** {@link SchemaGuard.invalidate}, and reads it immediately, so that a change is noticed without a reconciliation. */
  recheck(): void {
    this.#isOutdated = true;
    const { signal } = this.#stopping;
    this.#certain().catch(async () => {
      await sleep(recheckSeconds * 1000, undefined, { signal, ref: false }).catch(() => undefined);
      if (this.#isOutdated && !signal.aborted) this.recheck();
    });
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #certain(): Promise<void> {
    while (this.#isOutdated || this.#asking !== undefined) {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = undefined;
      });
      await this.#asking;
    }
  }

  /** One read at a time for all reconciliations. */
  async #ask(): Promise<void> {
    while (this.#isOutdated) {
      this.#isOutdated = false;
      try {
        await this.#read();
      } catch (error) {
        this.#isOutdated = true;
        throw error;
      }
    }
  }

  async #read(): Promise<void> {
    const published = await this.#publishedSchemas();
    if (published === undefined) return;
    const all = ownKinds.map((kind): [OwnKind, Skew] => {
      const schema = published.components?.schemas?.[schemaName(kind)];
      return [kind, schema === undefined ? absent : skewOf(ownSchemas[kind], schema)];
    });
    const before = this.#known;
    this.#known = new Map(all);
    for (const [kind, skew] of all) {
      if (!isDeepStrictEqual(skew, before.get(kind) ?? unknown)) this.#onSkew(kind, skew);
    }
  }

  /** Undefined if it is unchanged. */
  async #publishedSchemas(): Promise<Published | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#client.request<Published>({
          method: "GET",
          path,
          signal: this.#stopping.signal,
          ...(this.#etag !== undefined && { headers: { "If-None-Match": this.#etag } }),
          onHeaders: (answer) => {
            this.#etag = answer.etag;
          },
        });
      } catch (error) {
        if (isApiError(error, 304)) return undefined;
        if (!isApiError(error, 404) || attempt >= attempts.count) throw error;
        await sleep(attempts.milliseconds);
      }
    }
  }
}

/** Name in the OpenAPI document: the reversed group, version and kind. */
function schemaName(kind: OwnKind): string {
  const version = apiVersion.slice(group.length + 1);
  return `${group.split(".").reverse().join(".")}.${version}.${String(kind)}`;
}

/** Cached by spec, which is never mutated. */
const checked = new WeakMap<object, readonly string[]>();

/**
 * Returns the violations of the operator's own CustomResourceDefinition in a spec, including CEL rules. Only for specs that another
 * definition has admitted: zod and the CEL interpreter are imported only then.
 */
export async function violations(
  kind: OwnKind,
  { metadata, spec }: Pick<CustomResource, "metadata" | "spec">,
): Promise<readonly string[]> {
  const before = checked.get(spec);
  if (before !== undefined) return before;
  const { validators } = await import("../api/validation.ts");
  const { apiVersion } = await import("../api/server.ts");
  const document = { apiVersion, kind, metadata: { name: metadata.name }, spec };
  const result = validators[kind](document);
  const found = "problems" in result ? result.problems.map((problem) => problem.slice(0, 200)) : [];
  checked.set(spec, found);
  return found;
}

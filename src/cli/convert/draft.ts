import type { Value } from "./values.ts";

/** A Secret that has to exist before the converted manifest is applied. It never has a value. */
export interface NeededSecret {
  readonly name: string;
  /** Keys, with where their values are now. */
  readonly keys: Readonly<Record<string, string>>;
  /** It is one that the release uses already. */
  readonly exists: boolean;
}

type Tree = { [key: string]: Value | Tree };

/** A spec that a conversion fills, with the Secrets that it references. */
export class Draft {
  readonly spec: Tree = {};
  readonly #secrets = new Map<string, NeededSecret>();

  get secrets(): readonly NeededSecret[] {
    return [...this.#secrets.values()];
  }

  /** Sets a field by its path; undefined sets nothing. */
  set(path: string, value: unknown): void {
    if (value === undefined) return;
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    let place = this.spec;
    for (const key of keys) {
      const below = place[key];
      const next = typeof below === "object" && below !== null && !Array.isArray(below) ? (below as Tree) : {};
      place[key] = next;
      place = next;
    }
    place[last] = value as Value;
  }

  /** The name of a Secret that exists already, with the keys that are read of it. */
  existing(name: string, keys: readonly string[]): string {
    const before = this.#secrets.get(name)?.keys ?? {};
    this.#secrets.set(name, {
      name,
      keys: { ...before, ...Object.fromEntries(keys.map((key) => [key, "exists"])) },
      exists: true,
    });
    return name;
  }

  /** The name of a Secret that a user has to create, with where the value of each key is now. */
  toCreate(name: string, keys: Readonly<Record<string, string>>): string {
    this.#secrets.set(name, { name, keys, exists: false });
    return name;
  }
}

/** What a watch covers: one namespace, or undefined for the whole cluster. */
export type Scope = string | undefined;

/** A value for each watched namespace, or one for the whole cluster. */
export class Scoped<T> {
  readonly #isNamespaced: boolean;
  readonly #values = new Map<Scope, T>();

  constructor(isNamespaced: boolean) {
    this.#isNamespaced = isNamespaced;
  }

  get(scope: Scope): T | undefined {
    return this.#values.get(scope);
  }

  /** The value that covers a namespace. */
  of(namespace: string | undefined): T | undefined {
    return this.#values.get(this.scopeOf(namespace));
  }

  scopeOf(namespace: string | undefined): Scope {
    return this.#isNamespaced ? namespace : undefined;
  }

  set(scope: Scope, value: T): T {
    this.#values.set(scope, value);
    return value;
  }

  all(): Iterable<T> {
    return this.#values.values();
  }
}

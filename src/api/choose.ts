/**
 * Calls the handler of the only member of a union that is set. Throws if no member with a handler is set, or several:
 * an unknown member must not result in a default.
 */
export function choose<U extends object, M extends keyof U & string, R>(
  union: U,
  path: string,
  handlers: { readonly [K in M]: (member: NonNullable<U[K]>) => R },
): R {
  const members = Object.keys(handlers).filter((name): name is M => name in handlers && isSet(union, name));
  const [member] = members;
  const value = member === undefined ? undefined : union[member];
  if (member === undefined || members.length > 1 || value === undefined || value === null)
    throw new Error(`${path} must have exactly one of ${Object.keys(handlers).join(", ")}`);
  return handlers[member](value);
}

/** Returns the result for a value of an enum. Throws for an unknown value. */
export function choice<V extends string, R>(value: V, path: string, results: Readonly<Record<V, R>>): R {
  if (!Object.hasOwn(results, value))
    throw new Error(`${path} must be one of ${Object.keys(results).join(", ")}, not ${String(value).slice(0, 64)}`);
  return results[value];
}

function isSet(union: object, name: string): boolean {
  return Object.entries(union).some(([key, value]) => key === name && value !== undefined && value !== null);
}

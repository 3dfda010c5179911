import type { Rule } from "./rule.ts";

const elsewhere = "create a second MlflowServer and copy the data there, or restore the old value";

/** Rules for a volume that exists: Kubernetes can only expand it. `initialSize` is the default size. */
export function volumeRules(initialSize: string): Rule[] {
  const sizeOf = (self: string) => `(has(${self}.size) ? ${self}.size : '${initialSize}')`;
  const [now, before] = [sizeOf("self"), sizeOf("oldSelf")];
  return [
    {
      rule: `!isQuantity(${now}) || quantity(${now}).compareTo(quantity(${before})) >= 0`,
      message: `a volume cannot shrink: restore the old size (${initialSize} if none was set), or ${elsewhere.split(",")[0]}`,
    },
    {
      rule: "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
      message: `the storage class of a volume cannot change: ${elsewhere}`,
    },
  ];
}

/** The rule for the access modes of a volume that exists. */
export function accessModesRule(initialModes: readonly string[]): Rule {
  const listed = `[${initialModes.map((mode) => `'${mode}'`).join(", ")}]`;
  const modesOf = (self: string) => `(has(${self}.accessModes) ? ${self}.accessModes : ${listed})`;
  return {
    rule: `${modesOf("self")} == ${modesOf("oldSelf")}`,
    message: `the access modes of a volume cannot change: ${elsewhere}`,
  };
}

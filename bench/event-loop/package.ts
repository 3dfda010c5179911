import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { succeeded } from "../../test/control-plane/completed.ts";

/** Installs @dot-i/k8s-operator, which is not a dependency of this project, next to the implementations that use it. */
export async function installPackage(say: (line: string) => void): Promise<void> {
  const cwd = fileURLToPath(new URL("k8s-operator", import.meta.url));
  if (existsSync(join(cwd, "node_modules/@dot-i/k8s-operator"))) return;
  say("installing @dot-i/k8s-operator for the comparison");
  await succeeded("npm", ["ci"], { cwd, env: process.env });
}

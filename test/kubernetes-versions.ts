/** `npm run test:versions`: the tests that depend on the API server's version, on control planes of the oldest and the newest supported version. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { kubernetesVersionVariable } from "./control-plane/binaries.ts";
import { otherVersions } from "./control-plane/go-build.ts";

const tests = ["admission", ...["convergence", "drift", "release"].map((name) => `operator/${name}.test.ts`)];
const all = await otherVersions();
const chosen = process.argv.slice(2);
for (const name of chosen.filter((each) => !all.includes(each))) {
  process.stderr.write(`There is no module of Kubernetes "${name}": name one of ${all.join(", ")}.\n`);
  process.exit(1);
}

for (const version of chosen.length > 0 ? chosen : all) {
  process.stdout.write(`Kubernetes ${version}\n`);
  const args = [join(import.meta.dirname, "run.ts"), ...tests.map((name) => `apiserver/${name}`)];
  const env = { ...process.env, [kubernetesVersionVariable]: version };
  const [code] = await once(spawn(process.execPath, args, { stdio: "inherit", env }), "exit");
  if (code !== 0) process.exitCode = 1;
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MlflowServer } from "../src/api/server.ts";
import { clientPod } from "../test/live/client-pod.ts";
import type { Kubectl } from "./kubectl.ts";

/** IDs of a logged run, as in the URLs of the UI. */
export interface LoggedRun {
  readonly experimentId: string;
  readonly runId: string;
}

/** Runs log-a-run.py in a pod next to the server as its administrator, and reports its output. */
export async function logRun(kubectl: Kubectl, server: MlflowServer, say: (line: string) => void): Promise<LoggedRun> {
  const { name, namespace = "default" } = server.metadata;
  const pods = ["--namespace", namespace];
  const image = await kubectl(["get", ...pods, `deployment/${name}`, "-o", "jsonpath={..containers[0].image}"]);
  const { serviceURL: trackingUri = "", adminCredentialsSecretRef } = server.status ?? {};
  const loginSecret = adminCredentialsSecretRef?.name ?? "";
  const pod = { apiVersion: "v1", kind: "Pod", ...clientPod({ name: "client", image, trackingUri, loginSecret }) };
  await kubectl(["apply", ...pods, "-f", "-"], { stdin: JSON.stringify(pod) });
  await kubectl(["wait", ...pods, "--for=condition=Ready", "pod/client", "--timeout=120s"]);
  const program = await readFile(join(import.meta.dirname, "log-a-run.py"), "utf8");
  const printed = await kubectl(["exec", ...pods, "--stdin", "client", "--", "python", "-W", "ignore", "-"], {
    stdin: program,
    onStderrLine: say,
  });
  return JSON.parse(printed.trimEnd().split("\n").at(-1) ?? "");
}

import { writeFile } from "node:fs/promises";
import { managedSelector } from "../src/kube/names.ts";
import type { Kubectl } from "./kubectl.ts";

/** Writes descriptions and logs of the pods of a namespace to a file, before they are deleted. */
export async function savePodLogs(kubectl: Kubectl, namespace: string, path: string): Promise<void> {
  const of = ["--namespace", namespace];
  const logs = ["logs", ...of, "--selector", managedSelector, "--all-containers", "--prefix", "--tail=100"];
  const commands = [["describe", ...of, "mlflowservers,pods"], logs, [...logs, "--previous"]];
  const texts = commands.map((command) => kubectl(command).catch((error: unknown) => String(error)));
  await writeFile(path, (await Promise.all(texts)).join("\n"));
}

import type { Kubectl } from "./kubectl.ts";

const mark = "mlflow-operator-demo";

/** Creates a namespace with Pod Security "restricted". Removes that of an earlier demo first. */
export async function freshNamespace(kubectl: Kubectl, name: string, say: (line: string) => void): Promise<void> {
  const labels = ["get", "namespace", name, "--ignore-not-found", "-o", "jsonpath={.metadata.labels}"];
  const existing = await kubectl(labels);
  if (existing !== "" && !existing.includes(mark))
    throw new Error(`the namespace ${name} exists and was not created by a demo: remove it`);
  if (existing !== "") {
    say(`removing the namespace ${name} of an earlier demo`);
    await removeNamespace(kubectl, name);
  }
  const metadata = {
    name,
    labels: { "app.kubernetes.io/part-of": mark, "pod-security.kubernetes.io/enforce": "restricted" },
  };
  const document = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata });
  await kubectl(["create", "-f", "-"], { stdin: document });
}

export async function removeNamespace(kubectl: Kubectl, name: string): Promise<void> {
  await kubectl(["delete", "namespace", name, "--ignore-not-found", "--timeout=120s"]);
}

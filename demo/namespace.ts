import type { Kubectl } from "./kubectl.ts";

const mark = "mlflow-operator-demo";

/** An empty namespace in which only restricted pods are let in. One that an earlier demo left is removed first. */
export async function freshNamespace(kubectl: Kubectl, name: string, say: (line: string) => void): Promise<void> {
  const labels = ["get", "namespace", name, "--ignore-not-found", "-o", "jsonpath={.metadata.labels}"];
  const former = await kubectl(labels);
  if (former !== "" && !former.includes(mark))
    throw new Error(`there is a namespace ${name} that is not of a demo: remove or rename it`);
  if (former !== "") {
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

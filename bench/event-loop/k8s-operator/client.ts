/** The client of @kubernetes/client-node 0.20, a dependency of @dot-i/k8s-operator. */
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { runLoad } from "../../client/load.ts";

const namespace = process.argv[2] ?? "";
const config = new KubeConfig();
config.loadFromFile(process.env["KUBECONFIG"] ?? "");
const core = config.makeApiClient(CoreV1Api);
runLoad((name, data) => core.createNamespacedConfigMap(namespace, { metadata: { name }, data }));

/** The client of @kubernetes/client-node 0.20, which @dot-i/k8s-operator brings along. */
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { takesOrders } from "../../client/load.ts";

const namespace = process.argv[2] ?? "";
const config = new KubeConfig();
config.loadFromFile(process.env["KUBECONFIG"] ?? "");
const core = config.makeApiClient(CoreV1Api);
takesOrders((name, data) => core.createNamespacedConfigMap(namespace, { metadata: { name }, data }));

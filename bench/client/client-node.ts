/** The client of @kubernetes/client-node 2.0.1. */
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { runLoad } from "./load.ts";

const namespace = process.argv[2] ?? "";
const config = new KubeConfig();
config.loadFromFile(process.env["KUBECONFIG"] ?? "");
const core = config.makeApiClient(CoreV1Api);
runLoad((name, data) => core.createNamespacedConfigMap({ namespace, body: { metadata: { name }, data } }));

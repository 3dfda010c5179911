import type { DemoCluster } from "./demo-cluster.ts";

export interface Ending {
  readonly cluster: DemoCluster;
  readonly namespace: string;
  /** The local port that is forwarded to MLflow, if any. */
  readonly port: number | undefined;
  readonly hasNodes: boolean;
  /** Whether everything keeps running. */
  readonly stays: boolean;
}

/** Returns commands to try after the demo. */
export function whatNext({ cluster, namespace, port, hasNodes, stays }: Ending): string {
  const { kubectlProgram, kubeconfigPath } = cluster;
  const lines = [
    `alias k="${kubectlProgram} --kubeconfig ${kubeconfigPath} -n ${namespace}"`,
    "k get mlflowservers -o wide",
    "k describe mlflowserver mlflow-quick-start",
    "k get secret mlflow-quick-start-admin -o go-template='{{range .data}}{{base64decode .}} {{end}}'",
    ...(stays && port !== undefined
      ? [`open http://localhost:${port}                 # the UI, as that administrator`]
      : []),
    "k delete service mlflow-quick-start            # the operator creates it again",
    "k explain mlflowserver.spec.backendStore",
    "npm exec -- mlflow-operator render -f examples/sqlite-quick-start.yaml",
    ...(hasNodes ? [] : ["npm run demo -- --kubeconfig <a cluster with nodes>"]),
  ];
  const title = stays
    ? "What to try next:"
    : "What to try next, with npm run demo -- --keep, which keeps everything running until Ctrl-C:";
  return `\n${title}\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}

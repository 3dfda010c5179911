import type { Ground } from "./ground.ts";

export interface Ending {
  readonly ground: Ground;
  readonly namespace: string;
  /** The port of this machine that leads to MLflow, if one does. */
  readonly port: number | undefined;
  readonly hasNodes: boolean;
  /** Whether everything goes on running. */
  readonly stays: boolean;
}

/** What somebody may try who has seen the demo. */
export function whatNext({ ground, namespace, port, hasNodes, stays }: Ending): string {
  const { kubectlProgram, kubeconfigPath } = ground;
  const lines = [
    `alias k="${kubectlProgram} --kubeconfig ${kubeconfigPath} -n ${namespace}"`,
    "k get mlflowservers -o wide",
    "k describe mlflowserver mlflow-quick-start",
    "k get secret mlflow-quick-start-admin -o go-template='{{range .data}}{{base64decode .}} {{end}}'",
    ...(stays && port !== undefined
      ? [`open http://localhost:${port}                 # the UI, as that administrator`]
      : []),
    "k delete service mlflow-quick-start            # it comes back",
    "k explain mlflowserver.spec.backendStore",
    "npm exec -- mlflow-operator render -f examples/sqlite-quick-start.yaml",
    ...(hasNodes ? [] : ["npm run demo -- --kubeconfig <a cluster with nodes>"]),
  ];
  const title = stays
    ? "What to try next:"
    : "What to try next, with npm run demo -- --keep, which leaves all this running until Ctrl-C:";
  return `\n${title}\n${lines.map((line) => `  ${line}`).join("\n")}\n`;
}

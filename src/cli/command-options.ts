import { type Command, Option } from "commander";
import { defaultProxyImage } from "../api/images.ts";
import { collect } from "./command.ts";

/** Options that name files or directories. */
export function withFileOptions(command: Command): Command {
  return command
    .option(
      "-f, --filename <path>",
      "file or directory with manifests, or - for standard input; can be repeated",
      collect,
    )
    .option("-R, --recursive", "read subdirectories as well");
}

/** The same, and files as arguments. */
export function withFiles(command: Command): Command {
  return withFileOptions(
    command.argument("[files...]", "files or directories with manifests, or - for standard input"),
  );
}

/** Options that choose the cluster and the namespace, as kubectl has them. */
export function withCluster(command: Command): Command {
  return withContext(command.addOption(namespaceOption("namespace (default: the namespace of the context)")));
}

/** Options that choose the cluster. */
export function withContext(command: Command): Command {
  return command
    .option("--context <name>", "context of the kubeconfig (default: the current context)")
    .option("--kubeconfig <path>", "kubeconfig (default: KUBECONFIG, else ~/.kube/config)");
}

export function namespaceOption(description: string): Option {
  return new Option("-n, --namespace <name>", description);
}

export function outputOption(formats: readonly string[], preset: string): Option {
  return new Option("-o, --output <format>", "output format").choices(formats).default(preset);
}

/** Settings of the operator that change what it applies. */
export function withInstallation(command: Command): Command {
  return command
    .option(
      "--image-repository <name>",
      "image of MLflow without tag, as in the operator's settings",
      "ghcr.io/mlflow-operator/mlflow-server",
    )
    .option("--image-digests <list>", "digests of this image by version, such as 3.17.2=sha256:…")
    .option("--proxy-image <image>", "image of oauth2-proxy", defaultProxyImage)
    .option("--cluster-domain <domain>", "DNS domain of Services", "cluster.local")
    .addOption(
      new Option(
        "--user-ids <source>",
        "user and group of the pods: those of the image, or those that OpenShift assigns",
      )
        .choices(["fixed", "namespace"])
        .default("fixed"),
    );
}

/** Options of `otel-config`. */
export function withCollector(command: Command): Command {
  return command
    .requiredOption("--experiment <id>", "experiment that receives the traces: the number in the URL of its page")
    .option(
      "--manifests",
      "print all manifests: ServiceAccount, ConfigMap, RoleBinding, NetworkPolicy, Deployment, Service",
      false,
    )
    .option(
      "--collector <namespace/name>",
      "namespace and name of the collector and of its ServiceAccount (default: the first of spec.traces.writers, else otel-collector in the server's namespace)",
    )
    .option("--secret <name>", "Secret with the credential (default: <name of the collector>-mlflow)")
    .option("--workspace <namespace>", "workspace of the experiment (default: spec.workspaces.default)")
    .option("--token-url <url>", "token endpoint of the issuer, for client credentials")
    .option("--scope <scope>", "scope of the token request; can be repeated", collect)
    .option("--user <name>", "user name that Kubernetes has for the collector's token, for the RoleBinding")
    .option(
      "--server-ca <name>",
      "ConfigMap (key ca.crt) with the CA certificate of the server, in addition to public CAs",
    )
    .option("--image <image>", "image of the collector", "otel/opentelemetry-collector-contrib:0.158.0")
    .option("--cluster-domain <domain>", "DNS domain of Services", "cluster.local");
}

import { parseArgs } from "node:util";

/** What the user says of a collector. */
export interface CollectorChoices {
  /** Of the server. */
  readonly name: string | undefined;
  readonly namespace: string | undefined;
  readonly file: string | undefined;
  readonly kubeconfig: string | undefined;
  readonly manifests: boolean;
  readonly experiment: string;
  readonly collector: { readonly namespace: string; readonly name: string } | undefined;
  readonly secret: string | undefined;
  readonly workspace: string | undefined;
  readonly tokenUrl: string | undefined;
  readonly scopes: readonly string[];
  readonly user: string | undefined;
  readonly serverAuthority: string | undefined;
  readonly image: string;
  readonly clusterDomain: string;
}

/** Throws for wrong usage. */
export function collectorChoices(args: readonly string[]): CollectorChoices | "help" {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      filename: { type: "string", short: "f" },
      namespace: { type: "string", short: "n" },
      kubeconfig: { type: "string" },
      experiment: { type: "string" },
      manifests: { type: "boolean", default: false },
      collector: { type: "string" },
      secret: { type: "string" },
      workspace: { type: "string" },
      "token-url": { type: "string" },
      scope: { type: "string", multiple: true },
      user: { type: "string" },
      "server-ca": { type: "string" },
      image: { type: "string", default: "otel/opentelemetry-collector-contrib:0.158.0" },
      "cluster-domain": { type: "string", default: "cluster.local" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return "help";
  const [name, ...more] = positionals;
  const { filename: file, namespace, kubeconfig, experiment, collector } = values;
  if (more.length > 0) throw new Error(`what is ${more.join(" ")}? One server is named`);
  if ((file === undefined) === (kubeconfig === undefined))
    throw new Error("name either a file with -f, or a cluster with --kubeconfig");
  if (kubeconfig !== undefined && (name === undefined || namespace === undefined))
    throw new Error("name the server, and its namespace with -n");
  if (experiment === undefined || !/^\d{1,20}$/.test(experiment))
    throw new Error("name the experiment by --experiment <id>: the number in the URL of its page");
  const [place = "", own = "", ...rest] = collector?.split("/") ?? [];
  if (collector !== undefined && (rest.length > 0 || own === ""))
    throw new Error("--collector is <namespace>/<name>, such as agents/otel-collector");
  for (const [option, value] of Object.entries({ namespace, secret: values.secret, workspace: values.workspace }))
    named(option, value);
  named("server-ca", values["server-ca"]);
  for (const part of collector === undefined ? [] : [place, own]) named("collector", part);
  return {
    name,
    namespace,
    file,
    kubeconfig,
    experiment,
    manifests: values.manifests,
    collector: collector === undefined ? undefined : { namespace: place, name: own },
    secret: values.secret,
    workspace: values.workspace,
    tokenUrl: values["token-url"],
    scopes: values.scope ?? [],
    user: values.user,
    serverAuthority: values["server-ca"],
    image: values.image,
    clusterDomain: values["cluster-domain"],
  };
}

function named(option: string, value: string | undefined): void {
  if (value !== undefined && !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value))
    throw new Error(`--${option} is the name of a Kubernetes object, and ${JSON.stringify(value)} cannot be one`);
}

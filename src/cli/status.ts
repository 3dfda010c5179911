import type { MlflowServer } from "../api/server.ts";
import { type ApiClient, find } from "../kube/client/api-client.ts";
import { resourcePath } from "../kube/kinds.ts";
import type { Job, Pod } from "../kube/manifests.ts";
import { label } from "../kube/names.ts";
import type { Key } from "../kube/object.ts";
import { type ChosenCluster, type ClusterOptions, withCluster } from "./cluster-access.ts";
import type { CommandContext } from "./context.ts";
import { eventsPath, type LiveEvent } from "./live/events.ts";
import { readList } from "./live/read.ts";
import { watchedList } from "./live/watched-list.ts";
import { structured } from "./output.ts";
import { statusText } from "./status-text.ts";
import { type StatusFacts, type StatusView, statusView } from "./status-view.ts";

export interface StatusOptions extends ClusterOptions {
  readonly output: "text" | "yaml" | "json";
  readonly watch?: boolean;
}

/** The command `status`. Exit code 1: the server does not exist, or cannot be read. */
export async function status(options: StatusOptions, name: string, context: CommandContext): Promise<number> {
  return withCluster(options, context, async (cluster) => {
    const { client, namespace } = cluster;
    const server = await find<MlflowServer>(client, resourcePath("MlflowServer", namespace, name));
    if (server === undefined) throw new Error(`MlflowServer/${name} not found in namespace ${namespace}`);
    if (options.watch) return follow(options, cluster, name, context);
    const view = statusView(await statusFacts(client, server, { namespace, name }));
    context.streams.stdout(printed(view, options, context.now()));
    return 0;
  });
}

function printed(view: StatusView, { output }: StatusOptions, now: Date): string {
  return output === "text" ? statusText(view, now) : structured(view, output);
}

const podsSelector = ({ name }: Key) => `${label.server}=${name}`;

async function statusFacts(client: ApiClient, server: MlflowServer, key: Key): Promise<StatusFacts> {
  const { namespace } = key;
  const labelSelector = podsSelector(key);
  const [pods, jobs, events] = await Promise.all([
    readList<Pod>(
      client,
      { path: resourcePath("Pod", namespace), text: `pods in namespace ${namespace}` },
      { labelSelector },
    ),
    readList<Job>(
      client,
      { path: resourcePath("Job", namespace), text: `jobs in namespace ${namespace}` },
      { labelSelector },
    ),
    readList<LiveEvent>(client, { path: eventsPath(namespace), text: `events in namespace ${namespace}` }),
  ]);
  return { server, pods, jobs, events };
}

/** Changes that arrive together are printed once. */
const quietMilliseconds = 100;

/** Prints the status after each change, until the user interrupts it or the server is deleted. */
async function follow(
  options: StatusOptions,
  { client, namespace }: ChosenCluster,
  name: string,
  { streams, interruption, now }: CommandContext,
): Promise<number> {
  const { promise: ended, resolve: end } = Promise.withResolvers<number>();
  const signal = interruption();
  signal.addEventListener("abort", () => end(0));
  let last = "";
  let timer: NodeJS.Timeout | undefined;
  const changed = () => {
    timer ??= setTimeout(show, quietMilliseconds);
  };
  const inNamespace = { namespace, changed };
  const labelSelector = podsSelector({ namespace, name });
  const servers = watchedList<MlflowServer>(client, {
    ...inNamespace,
    kind: "MlflowServer",
    fieldSelector: `metadata.name=${name}`,
  });
  const pods = watchedList<Pod>(client, { ...inNamespace, kind: "Pod", labelSelector });
  const jobs = watchedList<Job>(client, { ...inNamespace, kind: "Job", labelSelector });
  const events = watchedList<LiveEvent>(client, { ...inNamespace, kind: "Event" });

  function show(): void {
    timer = undefined;
    const read = { servers: servers.current(), pods: pods.current(), jobs: jobs.current(), events: events.current() };
    if (!(read.servers && read.pods && read.jobs && read.events)) return;
    if ("notRead" in read.servers) {
      streams.stderr(`${read.servers.notRead}.`);
      end(1);
      return;
    }
    const [server] = read.servers.value;
    if (server === undefined) {
      streams.stderr(`MlflowServer/${name} in namespace ${namespace} has been deleted.`);
      end(1);
      return;
    }
    const view = statusView({ server, pods: read.pods, jobs: read.jobs, events: read.events });
    const content = JSON.stringify(view);
    if (content === last) return;
    const separator = options.output === "yaml" ? "---\n" : last === "" ? "" : "\n";
    last = content;
    if (options.output === "json") streams.stdout(`${content}\n`);
    else if (options.output === "text" && streams.isTerminal)
      streams.stdout(`${clearScreen}${printed(view, options, now())}`);
    else streams.stdout(`${separator}${printed(view, options, now())}`);
  }

  try {
    return await ended;
  } finally {
    clearTimeout(timer);
    for (const each of [servers, pods, jobs, events]) each.stop();
  }
}

const clearScreen = "\u001b[2J\u001b[H";

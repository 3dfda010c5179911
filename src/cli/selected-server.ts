import type { MlflowServer } from "../api/server.ts";
import { find } from "../client/api-client.ts";
import { resourcePath } from "../kube/kinds.ts";
import { type ClusterOptions, rejectClusterOptions, withCluster } from "./cluster-access.ts";
import { UsageError } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { documentsOf } from "./documents.ts";
import { type FileOptions, filesOf } from "./files.ts";

/**
 * The server of a name, from files or from the cluster. Undefined where a file is wrong, which has been reported. Throws where
 * there is no such server.
 */
export async function selectedServer(
  name: string | undefined,
  options: FileOptions & ClusterOptions,
  context: CommandContext,
): Promise<MlflowServer | undefined> {
  const files = filesOf(options, []);
  if (files.length === 0) {
    if (name === undefined) throw new UsageError("name the MlflowServer, or a file with -f");
    return withCluster(options, context, async ({ client, namespace }) => {
      const server = await find<MlflowServer>(client, resourcePath("MlflowServer", namespace, name));
      if (server === undefined) throw new Error(`MlflowServer/${name} not found in namespace ${namespace}`);
      return server;
    });
  }
  rejectClusterOptions(options);
  const { servers, isFlawed } = await documentsOf(files, options, context.streams);
  const [server, ...others] = name === undefined ? servers : servers.filter(({ metadata }) => metadata.name === name);
  if (others.length > 0)
    throw new Error(`there are ${others.length + 1} MlflowServers in ${files.join(", ")}: name one as the argument`);
  if (server === undefined && !isFlawed)
    throw new Error(`no MlflowServer${name === undefined ? "" : ` ${name}`} in ${files.join(", ")}`);
  return server;
}

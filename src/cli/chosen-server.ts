import type { MlflowServer } from "../api/server.ts";
import type { CollectorChoices } from "./collector-choices.ts";
import { documentsOf } from "./documents.ts";
import type { Streams } from "./streams.ts";

/** The server that is named, of a file or of a cluster. Undefined where the reason has been reported; throws where there is none. */
export async function chosenServer(
  { name, namespace, file, kubeconfig }: CollectorChoices,
  streams: Streams,
  version: string,
): Promise<MlflowServer | undefined> {
  if (kubeconfig !== undefined) {
    const { liveServer } = await import("./live-server.ts");
    return liveServer(kubeconfig, namespace ?? "", name ?? "", version);
  }
  const { servers, isFlawed } = await documentsOf([file ?? ""], streams, namespace);
  const [server, ...others] = name === undefined ? servers : servers.filter(({ metadata }) => metadata.name === name);
  if (others.length > 0) throw new Error(`there are ${others.length + 1} MlflowServers in ${file}: name one`);
  if (server === undefined && !isFlawed)
    throw new Error(`no MlflowServer${name === undefined ? "" : ` ${name}`} in ${file}`);
  return server;
}

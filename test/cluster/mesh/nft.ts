import { basename } from "node:path";
import { succeeded } from "../../control-plane/completed.ts";

const program = "/usr/sbin/nft";

/**
 * Returns this machine's nft and its libraries, by name. istio-cni and kube-proxy both call nft in the node's network, so they
 * use the same version: an older nft crashes on rules of a newer one.
 */
export async function nftFiles(): Promise<Readonly<Record<string, string>>> {
  const libraries = (await succeeded("ldd", [program])).matchAll(/=> (\S+\/lib(?!c\.so)\S+)/g);
  return Object.fromEntries(
    [program, ...[...libraries].map(([, path = ""]) => path)].map((path) => [basename(path), path]),
  );
}

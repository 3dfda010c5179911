import { basename } from "node:path";
import { succeeded } from "../../control-plane/completed.ts";

const program = "/usr/sbin/nft";

/**
 * The nft of this machine and the libraries that it brings along, by name. istio-cni calls it in the network of the node, where
 * kube-proxy does, too: an older nft crashes over what a newer one has written.
 */
export async function nftFiles(): Promise<Readonly<Record<string, string>>> {
  const libraries = (await succeeded("ldd", [program])).matchAll(/=> (\S+\/lib(?!c\.so)\S+)/g);
  return Object.fromEntries(
    [program, ...[...libraries].map(([, path = ""]) => path)].map((path) => [basename(path), path]),
  );
}

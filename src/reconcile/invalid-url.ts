import type { MlflowServerSpec } from "../api/spec.ts";
import { artifactStorageOf } from "../features/artifacts/index.ts";
import { authenticationMethod } from "../features/authentication/index.ts";
import { excerpt } from "../kube/excerpt.ts";
import type { Cause } from "./cause.ts";
import type { ObservedState } from "./observed-state.ts";

/**
 * The cause if a URL or host of a spec cannot be parsed. The schema rejects the known cases; a value that an older
 * CustomResourceDefinition has admitted, a name with invalid Punycode, or an address with too many groups, must not fail in a builder.
 */
export function invalidUrl({ server: { spec } }: Pick<ObservedState, "server">): Cause | undefined {
  const wrong = urlsOf(spec).find(([, url]) => url !== undefined && !URL.canParse(url));
  if (wrong === undefined) return undefined;
  const [path, url = ""] = wrong;
  // A URL with a user name can have a password.
  const shown = url.includes("@") ? "" : ` (${excerpt(url, 100)})`;
  return {
    reason: "InvalidURL",
    message: `${path} is not a valid URL or host${shown}, so nothing is written for this server. Use a host name such as mlflow.example.com and a port of at most 65535`,
  };
}

type Named = readonly [path: string, url: string | undefined];

function urlsOf(spec: MlflowServerSpec): Named[] {
  const { exposure } = spec;
  const { ingress, httpRoute } = exposure ?? {};
  return [
    ["spec.exposure.externalURL", exposure?.externalURL],
    ...hosts(
      "spec.exposure.ingress.hosts",
      ingress?.hosts?.map(({ host }) => host),
    ),
    ...hosts("spec.exposure.httpRoute.hostnames", httpRoute?.hostnames),
    ...artifactStorageOf(spec).urls.map(({ path, url }): Named => [path ?? "spec.artifactStore", url]),
    ...authenticationMethod(spec).urls.map(({ path, url }): Named => [path, url]),
  ];
}

function hosts(path: string, names: readonly string[] = []): Named[] {
  return names.map((name, index) => [`${path}[${index}]`, `https://${name}`]);
}

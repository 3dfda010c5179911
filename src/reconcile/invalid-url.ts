import type { MlflowServerSpec } from "../api/spec.ts";
import { excerpt } from "../kube/excerpt.ts";
import type { Facts } from "./facts.ts";
import type { Cause } from "./finding.ts";

/**
 * The first URL or host of a spec that no URL parser takes. The schema refuses all that were found so far; what an older
 * CustomResourceDefinition has let in, or a name whose Punycode is wrong, must not fail in a builder.
 */
export function invalidUrl({ server: { spec } }: Pick<Facts, "server">): Cause | undefined {
  const wrong = urlsOf(spec).find(([, url]) => url !== undefined && !URL.canParse(url));
  if (wrong === undefined) return undefined;
  const [path, url] = wrong;
  return {
    reason: "InvalidURL",
    message: `${path} is not a valid URL or host (${excerpt(url, 100)}), so nothing is written for this server. Use a host name such as mlflow.example.com and a port of at most 65535`,
  };
}

type Named = readonly [path: string, url: string | undefined];

function urlsOf({ exposure, authentication, artifactStore, proxy }: MlflowServerSpec): Named[] {
  const { ingress, httpRoute } = exposure ?? {};
  return [
    ["spec.exposure.externalUrl", exposure?.externalUrl],
    ...hosts(
      "spec.exposure.ingress.hosts",
      ingress?.hosts?.map(({ host }) => host),
    ),
    ...hosts("spec.exposure.httpRoute.hostnames", httpRoute?.hostnames),
    ["spec.artifactStore.s3.endpointUrl", artifactStore.s3?.endpointUrl],
    ["spec.authentication.ldap.url", authentication.ldap?.url],
    ["spec.authentication.oidc.discoveryUrl", authentication.oidc?.discoveryUrl],
    ["spec.authentication.oidc.issuer", authentication.oidc?.issuer],
    ["spec.authentication.oidc.redirectUrl", authentication.oidc?.redirectUrl],
    ["spec.proxy.issuerUrl", proxy?.issuerUrl],
    ["spec.proxy.redirectUrl", proxy?.redirectUrl],
    ["spec.proxy.acceptServiceAccountTokens.issuer", proxy?.acceptServiceAccountTokens?.issuer],
    ["spec.proxy.session.redis.url", proxy?.session?.redis?.url],
    ...(proxy?.extraJwtIssuers ?? []).map(
      (entry, index): Named => [`spec.proxy.extraJwtIssuers[${index}]`, entry.split("=")[0]],
    ),
  ];
}

function hosts(path: string, names: readonly string[] = []): Named[] {
  return names.map((name, index) => [`${path}[${index}]`, `https://${name}`]);
}

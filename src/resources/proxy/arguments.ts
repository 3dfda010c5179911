import { defaults } from "../../api/defaults.ts";
import type { ProxySettings } from "../../api/fields/oauth2-proxy.ts";
import { quantityOf } from "../../api/quantity.ts";
import { escaped } from "../../features/common/variable.ts";
import { externalAddressOf } from "../../model/exposure.ts";
import type { Inputs } from "../../model/inputs.ts";
import { issuersOf } from "../../model/issuers.ts";
import { isAuthorizedByKubernetes } from "../../model/kubernetes-authorization.ts";
import { dataKeys, objectNames, port, proxyPort, serviceUrl } from "../../model/names.ts";
import { apiRoute } from "./api-route.ts";
import { cookiePrefix } from "./cookie-prefix.ts";
import { proxyFiles } from "./files.ts";
import { sessionArguments } from "./redis.ts";

/**
 * Returns the arguments of oauth2-proxy, each tested with 7.15.6. Not set: `--reverse-proxy` and `--trusted-ip`,
 * with which a header of the client bypasses the login; `--skip-auth-route`, so MLflow answers no unauthenticated client;
 * `--metrics-address`, which opens a second port.
 */
export function proxyArguments(inputs: Inputs, proxy: ProxySettings): string[] {
  const { session = {}, emailDomains = ["*"], allowedGroups = [], extraArgs = [] } = proxy;
  const { prefix = "" } = externalAddressOf(inputs.server) ?? {};
  const [, ...furtherIssuers] = issuersOf(inputs);
  const isSecure = !(proxy.redirectURL ?? externalAddressOf(inputs.server)?.url)?.startsWith("http:");
  return [
    ...listener(inputs),
    `--upstream=http://127.0.0.1:${port}`,
    // The time for MLflow's answer after it has received a request, including an artifact; not the time of the upload.
    `--upstream-timeout=${uploadSeconds(inputs)}s`,
    // MLflow accepts its own host names only, and the proxy accepts all: requests to other hosts have no session.
    "--pass-host-header=false",
    // The token, if MLflow authorizes with it; never a header of the client.
    `--pass-authorization-header=${isAuthorizedByKubernetes(inputs.server.spec)}`,
    "--pass-basic-auth=false",
    "--pass-user-headers=false",

    "--provider=oidc",
    `--oidc-issuer-url=${proxy.issuerURL}`,
    `--client-id=${proxy.clientID}`,
    `--client-secret-file=${proxy.clientSecretRef === undefined ? "/dev/null" : proxyFiles.clientSecret}`,
    ...(proxy.ca === undefined ? [] : [`--provider-ca-file=${proxyFiles.issuerCa}`]),
    ...(proxy.acceptServiceAccountTokens === undefined ? [] : [`--provider-ca-file=${proxyFiles.clusterCa}`]),
    "--use-system-trust-store=true",
    "--scope=openid email profile groups offline_access",
    "--code-challenge-method=S256",
    // The default does not check that the token belongs to this login.
    "--insecure-oidc-skip-nonce=false",
    "--approval-prompt=auto",
    ...emailDomains.map((domain) => `--email-domain=${domain}`),
    ...allowedGroups.map((group) => `--allowed-group=${group}`),

    `--skip-jwt-bearer-tokens=${proxy.skipJWTBearerTokens ?? true}`,
    ...furtherIssuers.map(({ issuer, audience }) => `--extra-jwt-issuers=${issuer}=${audience}`),
    // Preflights carry no credential. The middleware answers every OPTIONS request, and MLflow gets none.
    ...((inputs.server.spec.server?.corsAllowedOrigins ?? []).length === 0 ? [] : ["--skip-auth-preflight=true"]),
    // Only a browser that opens a page is redirected to the login: other requests are from programs or scripts of a page.
    `--api-route=${apiRoute(prefix)}`,
    ...(prefix === ""
      ? ["--skip-provider-button=true"]
      : [`--proxy-prefix=${prefix}/oauth2`, `--cookie-path=${prefix}`, `--custom-templates-dir=${proxyFiles.pages}`]),

    `--redirect-url=${redirectURL(inputs, proxy)}`,
    `--cookie-name=${cookieName(inputs, isSecure)}`,
    `--cookie-secret-file=${proxyFiles.cookieSecret}`,
    `--cookie-secure=${isSecure}`,
    "--cookie-samesite=lax",
    "--cookie-csrf-per-request=true",
    `--cookie-refresh=${session.refresh ?? refreshOf(inputs)}`,
    `--cookie-expire=${session.expire ?? defaults.sessionExpire}`,
    ...sessionArguments(session.redis),
    "--silence-ping-logging=true",
    ...extraArgs,
  ].map(escaped);
}

/** Returns the refresh interval: with Kubernetes authorization the token must be renewed before it expires. */
function refreshOf({ server }: Inputs): string {
  return isAuthorizedByKubernetes(server.spec) ? defaults.kubernetesSessionRefresh : defaults.sessionRefresh;
}

/** Returns the time to store the largest artifact at 8 MiB per second, at least ten minutes. */
function uploadSeconds({ server }: Inputs): number {
  const bytes = quantityOf(server.spec.artifactStore.maxUploadSize ?? defaults.maxUploadSize) ?? 0;
  return Math.max(600, Math.ceil(bytes / 2 ** 23));
}

/** Returns the arguments for http, or with a certificate for https only. */
function listener({ server }: Inputs): string[] {
  if (server.spec.server?.tls === undefined) return [`--http-address=0.0.0.0:${proxyPort}`];
  return [
    `--https-address=0.0.0.0:${proxyPort}`,
    `--tls-cert-file=${proxyFiles.tls}/${dataKeys.certificate}`,
    `--tls-key-file=${proxyFiles.tls}/${dataKeys.privateKey}`,
  ];
}

function redirectURL({ server }: Pick<Inputs, "server">, proxy: ProxySettings): string {
  return proxy.redirectURL ?? `${externalAddressOf(server)?.url ?? serviceUrl(server)}/oauth2/callback`;
}

/** Returns a cookie name that is unique per server: cookies are separate by host, but not by port and path. */
function cookieName(inputs: Inputs, isSecure: boolean): string {
  const { metadata } = inputs.server;
  return `${cookiePrefix(inputs, isSecure)}_${metadata.namespace ?? "default"}_${objectNames.service(metadata.name)}`;
}

/** Returns the origin of the pages that browsers load through the proxy, which can send write requests. */
export function browserOrigin({ server }: Pick<Inputs, "server">): string[] {
  const { oauth2Proxy: proxy } = server.spec.authentication;
  const origin = proxy === undefined ? undefined : URL.parse(redirectURL({ server }, proxy))?.origin;
  return origin === undefined ? [] : [origin];
}

import { defaults } from "../../api/defaults.ts";
import type { ProxySettings } from "../../api/fields/oauth2-proxy.ts";
import { quantityOf } from "../../api/quantity.ts";
import { isAuthorizedByKubernetes } from "../authentication/kubernetes-authorization.ts";
import { externalAddressOf } from "../exposure.ts";
import type { Inputs } from "../inputs.ts";
import { dataKeys, objectNames, port, proxyPort, serviceUrl } from "../names.ts";
import { escaped } from "../pod/variable.ts";
import { apiRoute } from "./api-route.ts";
import { cookiePrefix } from "./cookie-prefix.ts";
import { proxyFiles } from "./files.ts";
import { issuersOf } from "./issuers.ts";
import { sessionArguments } from "./redis.ts";

/**
 * The arguments of oauth2-proxy, tried one by one against 7.15.6. Left out on purpose: `--reverse-proxy` and `--trusted-ip`,
 * with which a header of the client's gets round the login; `--skip-auth-route`, so nothing of MLflow answers strangers;
 * `--metrics-address`, which would open a second port.
 */
export function proxyArguments(inputs: Inputs, proxy: ProxySettings): string[] {
  const { session = {}, emailDomains = ["*"], allowedGroups = [], extraArgs = [] } = proxy;
  const { prefix = "" } = externalAddressOf(inputs.server) ?? {};
  const [, ...furtherIssuers] = issuersOf(inputs);
  const isSecure = !(proxy.redirectURL ?? externalAddressOf(inputs.server)?.url)?.startsWith("http:");
  return [
    ...listener(inputs),
    `--upstream=http://127.0.0.1:${port}`,
    // How long MLflow may think after it has received a request, an artifact included; not how long that takes to send.
    `--upstream-timeout=${storingSeconds(inputs)}s`,
    // MLflow answers to its own names only, and the proxy to all: what a browser sends elsewhere has no session.
    "--pass-host-header=false",
    // With its token, if MLflow shall look at that; never with a header of the client's.
    `--pass-authorization-header=${isAuthorizedByKubernetes(inputs.server.spec)}`,
    "--pass-basic-auth=false",
    "--pass-user-headers=false",

    "--provider=oidc",
    `--oidc-issuer-url=${proxy.issuerURL}`,
    `--client-id=${proxy.clientID}`,
    `--client-secret-file=${proxy.clientSecretRef === undefined ? "/dev/null" : proxyFiles.clientSecret}`,
    ...(proxy.ca === undefined ? [] : [`--provider-ca-file=${proxyFiles.issuerAuthority}`]),
    ...(proxy.acceptServiceAccountTokens === undefined ? [] : [`--provider-ca-file=${proxyFiles.clusterAuthority}`]),
    "--use-system-trust-store=true",
    "--scope=openid email profile groups offline_access",
    "--code-challenge-method=S256",
    // Its default does not check that the token is of this very login.
    "--insecure-oidc-skip-nonce=false",
    "--approval-prompt=auto",
    ...emailDomains.map((domain) => `--email-domain=${domain}`),
    ...allowedGroups.map((group) => `--allowed-group=${group}`),

    `--skip-jwt-bearer-tokens=${proxy.skipJWTBearerTokens ?? true}`,
    ...furtherIssuers.map(({ issuer, audience }) => `--extra-jwt-issuers=${issuer}=${audience}`),
    // Preflights carry no credential. The layer around MLflow answers every OPTIONS then, and MLflow sees none.
    ...((inputs.server.spec.server?.corsAllowedOrigins ?? []).length === 0 ? [] : ["--skip-auth-preflight=true"]),
    // Only a browser that opens the page itself is led to the login: all else is a program, or a script of the page.
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

/** With Kubernetes behind it the proxy must have a new token before the old one ends. */
function refreshOf({ server }: Inputs): string {
  return isAuthorizedByKubernetes(server.spec) ? defaults.kubernetesSessionRefresh : defaults.sessionRefresh;
}

/** Enough to hand the largest artifact on to a store that takes 8 MiB in a second, and never less than ten minutes. */
function storingSeconds({ server }: Inputs): number {
  const bytes = quantityOf(server.spec.artifactStore.maxUploadSize ?? defaults.maxUploadSize) ?? 0;
  return Math.max(600, Math.ceil(bytes / 2 ** 23));
}

/** http, or with a certificate https and nothing else. */
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

/** Of this server alone: browsers keep servers apart by host, but not by port and path. */
function cookieName(inputs: Inputs, isSecure: boolean): string {
  const { metadata } = inputs.server;
  return `${cookiePrefix(inputs, isSecure)}_${metadata.namespace ?? "default"}_${objectNames.service(metadata.name)}`;
}

/** The origin of pages that browsers get through the proxy, which may write. */
export function browserOrigin({ server }: Pick<Inputs, "server">): string[] {
  const { oauth2Proxy: proxy } = server.spec.authentication;
  const origin = proxy === undefined ? undefined : URL.parse(redirectURL({ server }, proxy))?.origin;
  return origin === undefined ? [] : [origin];
}

import type { ServerModel } from "../../features/server-model.ts";
import { escaped } from "../../kube/variable.ts";
import { dataKeys, port, proxyMetricsPort, proxyPort } from "../../model/names.ts";
import type { ProxySettings } from "../../model/proxy-settings.ts";
import { proxyFiles } from "./files.ts";

/**
 * Returns the arguments of oauth2-proxy, each tested with 7.15.6. Not set: `--reverse-proxy` and `--trusted-ip`,
 * with which a header of the client bypasses the login; `--skip-auth-route`, so MLflow answers no unauthenticated client.
 */
export function proxyArguments(model: ServerModel, proxy: ProxySettings): string[] {
  const { process, addresses } = model;
  const { prefix } = addresses;
  const [, ...furtherIssuers] = model.issuers;
  return [
    ...listener(model),
    `--upstream=http://127.0.0.1:${port}`,
    // The time for MLflow's answer after it has received a request, including an artifact; not the time of the upload.
    `--upstream-timeout=${uploadSeconds(process.maxUploadBytes)}s`,
    // MLflow accepts its own host names only, and the proxy accepts all: requests to other hosts have no session.
    "--pass-host-header=false",
    // The token, if MLflow authorizes with it; never a header of the client.
    `--pass-authorization-header=${model.authorization.isByKubernetes}`,
    "--pass-basic-auth=false",
    "--pass-user-headers=false",

    "--provider=oidc",
    `--oidc-issuer-url=${proxy.issuerURL}`,
    `--client-id=${proxy.clientID}`,
    `--client-secret-file=${proxy.clientSecret === undefined ? "/dev/null" : proxyFiles.clientSecret}`,
    ...(proxy.ca === undefined ? [] : [`--provider-ca-file=${proxyFiles.issuerCa}`]),
    ...(!proxy.acceptsServiceAccountTokens ? [] : [`--provider-ca-file=${proxyFiles.clusterCa}`]),
    "--use-system-trust-store=true",
    "--scope=openid email profile groups offline_access",
    "--code-challenge-method=S256",
    // The default does not check that the token belongs to this login.
    "--insecure-oidc-skip-nonce=false",
    "--approval-prompt=auto",
    ...proxy.emailDomains.map((domain) => `--email-domain=${domain}`),
    ...proxy.allowedGroups.map((group) => `--allowed-group=${group}`),

    `--skip-jwt-bearer-tokens=${proxy.acceptsBearerTokens}`,
    ...furtherIssuers.map(({ issuer, audience }) => `--extra-jwt-issuers=${issuer}=${audience}`),
    // Preflights contain no credential. The middleware answers every OPTIONS request, and MLflow gets none.
    ...(process.corsOrigins.length === 0 ? [] : ["--skip-auth-preflight=true"]),
    // Only a browser that opens a page is redirected to the login: other requests are from programs or scripts of a page.
    `--api-route=${apiRoute(prefix)}`,
    ...(prefix === ""
      ? ["--skip-provider-button=true"]
      : [`--proxy-prefix=${prefix}/oauth2`, `--cookie-path=${prefix}`, `--custom-templates-dir=${proxyFiles.pages}`]),

    `--redirect-url=${proxy.redirectURL}`,
    `--cookie-name=${proxy.cookieName}`,
    `--cookie-secret-file=${proxyFiles.cookieSecret}`,
    `--cookie-secure=${proxy.isSecure}`,
    "--cookie-samesite=lax",
    "--cookie-csrf-per-request=true",
    `--cookie-refresh=${proxy.session.refresh}`,
    `--cookie-expire=${proxy.session.expire}`,
    ...(model.authentication.sessionStore?.arguments ?? []),
    "--silence-ping-logging=true",
    // This port serves metrics at any path, and nothing else.
    ...(model.monitoring === undefined ? [] : [`--metrics-address=:${proxyMetricsPort}`]),
    ...proxy.extraArgs,
  ].map(escaped);
}

/** Returns the time to store the largest artifact at 8 MiB per second, at least ten minutes. */
function uploadSeconds(bytes: number): number {
  return Math.max(600, Math.ceil(bytes / 2 ** 23));
}

/** Returns the arguments for http, or with a certificate for https only. Without a host it listens on all addresses of both IP families. */
function listener({ certificateSecret }: ServerModel): string[] {
  if (certificateSecret === undefined) return [`--http-address=:${proxyPort}`];
  return [
    `--https-address=:${proxyPort}`,
    `--tls-cert-file=${proxyFiles.tls}/${dataKeys.certificate}`,
    `--tls-key-file=${proxyFiles.tls}/${dataKeys.privateKey}`,
  ];
}

/**
 * Returns a regular expression (RE2, which has no negation) for every path with query except pages: `/`, the prefix with and
 * without a slash, and paths below `/oauth2/`, which belong to oauth2-proxy if a gateway strips the prefix. Only a browser
 * that opens a page is redirected to the login; all other requests are from programs or from scripts of a page.
 */
export function apiRoute(prefix: string): string {
  if (prefix === "") return "^/[^?]";
  const page = prefix.slice(1);
  return `^/${otherThan(["", page, `${page}/`], "oauth2/")}`;
}

/** Returns an expression for every rest of a path that is not one of these pages or below the tree. */
function otherThan(pages: readonly string[], tree: string | undefined): string {
  const all = tree === undefined ? pages : [...pages, tree];
  const next = [...new Set(all.flatMap((each) => each.slice(0, 1)))].filter((letter) => letter !== "").sort();
  const isPage = pages.includes("");
  const from = (each: string, letter: string) => (each.startsWith(letter) ? [each.slice(1)] : []);
  const further = next.flatMap((letter) => {
    const restOfTree = tree?.startsWith(letter) ? tree.slice(1) : undefined;
    if (restOfTree === "") return [];
    const rest = pages.flatMap((each) => from(each, letter));
    return [`${letter === "." ? "[.]" : letter}${otherThan(rest, restOfTree)}`];
  });
  // The hyphen is last, so that it does not define a range.
  const letters = [
    ...next.filter((letter) => letter !== "-"),
    ...(isPage ? ["?"] : []),
    ...next.filter((l) => l === "-"),
  ];
  return `(${[`[^${letters.join("")}]`, ...(isPage ? [] : ["$"]), ...further].join("|")})`;
}

import { exposed, exposedByHost, type Json, oidcInFull, proxied, smallest } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const path = "spec.exposure.externalURL";
const small = wrong(smallest);

function each(values: readonly Json[], says: string): Wrong[] {
  return values.map((value) => small(`externalURL ${JSON.stringify(value)}`, { [path]: value }, path, says));
}

const base = "https://platform.example.com";

/** Invalid URLs, and URLs that conflict with other fields. */
export const wrongExposures: readonly Wrong[] = [
  ...each(["platform.example.com/mlflow", "ftp://x/y", "//x/y", "HTTPS://x/y"], "begins with https:// or http://"),
  ...each([`${base}/`, `${base}/clusters/c1/mlflow/`, "https://"], "no trailing slash"),
  ...each([`${base}/mlflow?a=b`, `${base}/mlflow#x`, `${base}/mlflow?`], "neither query nor fragment"),
  ...each(
    [
      `${base}/../mlflow`,
      `${base}/./mlflow`,
      `${base}/a/..`,
      `${base}//mlflow`,
      `${base}/a//mlflow`,
      `${base}/a b`,
      `${base}/a%2fb`,
      `${base}/a\\b`,
      `${base}/{{x}}`,
      `${base}/a;b`,
      `${base}/a,b`,
      "https:///a",
      "https://platform.example.com:x/a",
      `${base}/$(HOME)`,
      `${base}/<script>`,
      `${base}/ä`,
      // No URL parser accepts these.
      ...[
        "https://example.com:99999",
        "https://example.com:65536/a",
        "https://1.2.3.4.5",
        "https://mlflow.1",
        "https://a.0x1",
      ],
      ...["https://256.1.1.1", "https://[:::]", "https://[1]"],
    ],
    "letters, digits, -, _, . and ~",
  ),
  ...each(["https://user@platform.example.com/a", "https://user:secret@platform.example.com"], "password or @"),
  ...each(
    [`${base}/api`, `${base}/api/x`, `${base}/oauth2`, `${base}/health/x`, `${base}/v1/mlflow`],
    "begins with a path of MLflow",
  ),
  wrong(proxied)(
    "another redirect URL of oauth2-proxy",
    { [path]: base },
    "spec.authentication.oauth2Proxy.redirectURL",
    "leave it out",
  ),
  wrong(proxied)(
    "http with oauth2-proxy",
    { [path]: "http://platform.example.com/a", "spec.authentication.oauth2Proxy.redirectURL": undefined },
    path,
    "with authentication.oauth2Proxy, exposure.externalURL begins with https://",
  ),
  wrong(oidcInFull)(
    "another redirect URL of the plugin",
    { [path]: `${base}/a` },
    "spec.authentication.oidc.redirectURL",
    "leave it out",
  ),
  ...wrongRoutes(),
];

/** Wrong Ingresses and HTTPRoutes. */
function wrongRoutes(): Wrong[] {
  const by = wrong(exposed);
  const byHost = wrong(exposedByHost);
  const ingress = "spec.exposure.ingress";
  const route = "spec.exposure.httpRoute";
  const annotated = (key: string, says: string, value = "x") =>
    by(`annotation ${key}: ${value}`, { [`${ingress}.annotations`]: { [key]: value } }, `${ingress}.annotations`, says);
  const nginx = "nginx.ingress.kubernetes.io";
  return [
    ...[
      `${nginx}/configuration-snippet`,
      `${nginx}/server-snippet`,
      `${nginx}/auth-snippet`,
      "nginx.org/location-snippets",
      "haproxy.org/backend-config-snippet",
      "haproxy-ingress.github.io/config-backend",
      `${nginx}/mirror-target`,
      `${nginx}/modsecurity-transaction-id`,
      `${nginx}/permanent-redirect`,
    ].map((key) => annotated(key, "shares between all Ingresses")),
    ...[
      `${nginx}/auth-url`,
      `${nginx}/auth-tls-secret`,
      `${nginx}/proxy-ssl-secret`,
      `${nginx}/satisfy`,
      "alb.ingress.kubernetes.io/auth-type",
    ].map((key) => annotated(key, "spec.authentication decides")),
    ...[`${nginx}/server-alias`, `${nginx}/upstream-vhost`, "kubernetes.io/ingress.class"].map((key) =>
      annotated(key, "the class in className"),
    ),
    ...["0; deny all", "{", "/$2", "0 # x"].map((value) =>
      annotated(`${nginx}/proxy-body-size`, "a line of its configuration", value),
    ),
    annotated("istio.io/rev", "reserved for the operator"),
    annotated("a key", "must be label keys"),
    ...["*.example.com", "*"].map((host) =>
      by(`host ${host}`, { [`${ingress}.hosts[1].host`]: host }, `${ingress}.hosts[1].host`, "has no wildcard"),
    ),
    ...["ML.example.com", "10.0.0.1", "https://x", "x:443", "x/y", "a_b", "-a", "a..b", "mlflow.1", "1.2.3.4.5"].map(
      (host) => by(`hostname ${host}`, { [`${route}.hostnames[0]`]: host }, `${route}.hostnames[0]`, "in lower case"),
    ),
    ...["/mlflow", "v1", "/v1/", "/v1//x", "/v1/../x", "/v1/%2f", "/v1/.*", "/vx"].map((value) =>
      by(`path ${value}`, { [`${ingress}.hosts[1].paths[0]`]: value }, `${ingress}.hosts[1].paths[0]`, "externalURL"),
    ),
    by("no path", { [`${ingress}.hosts[1].paths`]: [] }, `${ingress}.hosts[1].paths`, "leave out paths for all"),
    by("no host", { [`${ingress}.hosts`]: [] }, `${ingress}.hosts`, "leave out hosts"),
    by("no hostname", { [`${route}.hostnames`]: [] }, `${route}.hostnames`, "leave out hostnames"),
    by("a hostname twice", { [`${route}.hostnames`]: ["a.b", "a.b"] }, `${route}.hostnames`, "once"),
    by(
      "a certificate for another host",
      { [`${ingress}.tls[0].hosts`]: ["x.example.com"] },
      `${ingress}.tls`,
      "is not in hosts",
    ),
    by(
      "a certificate without hosts",
      { [`${ingress}.tls[0].hosts`]: [] },
      `${ingress}.tls[0].hosts`,
      "leave out hosts",
    ),
    by("no Gateway", { [`${route}.parentRefs`]: [] }, `${route}.parentRefs`, "write one"),
    by("nothing about Gateways", { [route]: {} }, `${route}.parentRefs`, "write the Gateway"),
    by(
      "a Gateway without a name",
      { [`${route}.parentRefs[0].name`]: undefined },
      `${route}.parentRefs[0].name`,
      "name",
    ),
    by(
      "all namespaces",
      { [`${route}.parentRefs[0].namespace`]: "*" },
      `${route}.parentRefs[0].namespace`,
      "one namespace",
    ),
    by("http with a certificate", { [path]: "http://platform.example.com" }, path, "with https://"),
    by("a URL of none of the hosts", { [path]: "https://platform.example.org/a" }, path, "add it there"),
    by("a URL that only begins like a host", { [path]: "https://platform.example.com.evil.org" }, path, "add it there"),
    small("an ingress without a host", { [ingress]: {} }, "spec.exposure", "write externalURL"),
    small("a route without a host", { [route]: { parentRefs: [{ name: "a" }] } }, "spec.exposure", "write externalURL"),
    ...["https://10.0.0.1/a", "https://ML.example.com", "https://[fd00::1]:8443"].map((url) =>
      small(`the host of ${url}`, { [path]: url, [ingress]: {} }, path, "not an address"),
    ),
    small(
      "a server without authentication",
      { "spec.authentication": { none: {} }, [path]: base, [ingress]: {} },
      "spec.exposure",
      "not exposed outside the cluster",
    ),
    small(
      "a server without authentication by a Gateway",
      { "spec.authentication": { none: {} }, [path]: base, [route]: { parentRefs: [{ name: "a" }] } },
      "spec.exposure",
      "such as oauth2Proxy",
    ),
    small(
      "a network policy without clients",
      { [path]: base, [ingress]: {}, "spec.networkPolicy": { from: [] } },
      "spec.networkPolicy.from",
      "list them there",
    ),
    byHost("http before a proxy, by default", { [`${ingress}.tls`]: undefined }, ingress, "add exposure.ingress.tls"),
    byHost(
      "another redirect URL than that of the host",
      { "spec.authentication.oauth2Proxy.redirectURL": "https://other.example.com/oauth2/callback" },
      "spec.authentication.oauth2Proxy.redirectURL",
      "leave it out",
    ),
    wrong(oidcInFull)(
      "another redirect URL of the plugin than that of the host",
      { [ingress]: { hosts: [{ host: "mlflow.example.com" }] } },
      "spec.authentication.oidc.redirectURL",
      "leave it out",
    ),
  ];
}

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ProxySettings } from "../../src/api/fields/oauth2-proxy.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import {
  all,
  configMap,
  deploymentOf,
  environmentOf,
  inputs,
  programsOf,
  secret,
  secretText,
  server,
} from "../support/fixtures.ts";

const inputsHash = (of: Parameters<typeof resolve>[0]) => resolve(of).inputsHash;

const settings: ProxySettings = {
  issuerURL: "https://dex.example.com/dex",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
  clientSecretRef: { name: "client", key: "secret" },
  ca: { configMapRef: { name: "dex-ca" } },
  redirectURL: "https://mlflow.example.com/oauth2/callback",
};
const client = secret("client", { secret: "secret-of-the-client" });
const issuingCa = configMap("dex-ca", { "ca.crt": "certificates" });

const proxied = (
  proxy: Partial<ProxySettings> = {},
  spec: Partial<MlflowServerSpec> = {},
  references = [client, issuingCa],
) => inputs(server({ authentication: { oauth2Proxy: { ...settings, ...proxy } }, ...spec }), references);

function containerOf(of: ReturnType<typeof inputs>, name: string) {
  const pod = deploymentOf(of).spec.template.spec;
  const found = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])].find((each) => each.name === name);
  assert.ok(found !== undefined, `there is no container ${name}`);
  return found;
}

const argsOf = (of: ReturnType<typeof inputs>) => containerOf(of, "oauth2-proxy").args ?? [];

describe("oauth2-proxy as the only entry point", () => {
  test("MLflow listens on loopback only, and has no container port", () => {
    assert.equal(environmentOf(deploymentOf(proxied()))["MLFLOW_HOST"], "127.0.0.1");
    assert.equal(containerOf(proxied(), "mlflow").ports, undefined);
    assert.doesNotMatch(JSON.stringify(containerOf(proxied(), "mlflow")), /"httpGet"/);
  });

  test("clients of the proxy are not local for MLflow, which trusts forwarded addresses of the proxy only", () => {
    assert.equal(environmentOf(deploymentOf(proxied()))["FORWARDED_ALLOW_IPS"], "127.0.0.1");
    assert.equal(environmentOf(deploymentOf(inputs()))["FORWARDED_ALLOW_IPS"], "");
  });

  test("the Service's port targets the proxy", () => {
    assert.deepEqual(containerOf(proxied(), "oauth2-proxy").ports, [
      { name: "http", containerPort: 4180, protocol: "TCP" },
    ]);
    const service = all(proxied()).find((object) => object.kind === "Service");
    assert.ok(service?.kind === "Service");
    assert.deepEqual(
      service.spec.ports?.map(({ port, targetPort }) => [port, targetPort]),
      [[5000, "http"]],
    );
  });

  test("no argument allows a bypass of the login", () => {
    const names = argsOf(proxied({ acceptServiceAccountTokens: {}, extraArgs: ["--scope=openid"] })).map(
      (argument) => argument.split("=")[0] ?? "",
    );
    for (const name of names)
      assert.doesNotMatch(
        name,
        /reverse-proxy|trusted|skip-auth|skip-jwt-bearer-tokens-|insecure-(?!oidc-skip-nonce)|htpasswd|metrics/,
      );
    assert.ok(argsOf(proxied()).includes("--insecure-oidc-skip-nonce=false"));
  });

  test("MLflow accepts headers with a session in several cookies", () => {
    const options = environmentOf(deploymentOf(proxied()))["MLFLOW_UVICORN_OPTS"];
    assert.equal(options, "--timeout-keep-alive 120 --h11-max-incomplete-event-size 131072");
  });

  test("with a certificate the proxy presents it, and MLflow does not", () => {
    const tls = proxied({}, { server: { tls: { certificateSecretRef: { name: "tls" } } } });
    assert.ok(argsOf(tls).includes("--https-address=:4180"));
    assert.ok(!argsOf(tls).some((argument) => argument.startsWith("--http-address")));
    assert.doesNotMatch(environmentOf(deploymentOf(tls))["MLFLOW_UVICORN_OPTS"] ?? "", /ssl/);
    assert.doesNotMatch(JSON.stringify(containerOf(tls, "mlflow").volumeMounts), /tls/);
    assert.match(JSON.stringify(containerOf(tls, "oauth2-proxy").readinessProbe), /HTTPS/);
  });

  test("only the redirect URL's origin and configured origins can send writes", () => {
    const origins = (of: ReturnType<typeof inputs>) =>
      environmentOf(deploymentOf(of))["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"];
    assert.equal(origins(proxied()), "https://mlflow.example.com");
    assert.equal(origins(proxied({ redirectURL: undefined })), "http://demo.team-a:5000");
  });

  test("preflights pass the proxy only with allowed origins, and the middleware answers them", () => {
    assert.ok(!argsOf(proxied()).some((argument) => argument.startsWith("--skip-auth")));
    const allowed = proxied({}, { server: { corsAllowedOrigins: ["https://app.example.com"] } });
    assert.ok(argsOf(allowed).includes("--skip-auth-preflight=true"));
    const { corsOrigins, isProxied } = JSON.parse(programsOf(allowed)["mlflow_operator/settings.json"] ?? "");
    assert.deepEqual([corsOrigins, isProxied], [["https://app.example.com"], true]);
  });

  test("the session cookie has the prefix __Host- unless it is limited to a path", () => {
    const name = (of: ReturnType<typeof inputs>) =>
      argsOf(of).find((argument) => argument.startsWith("--cookie-name="));
    assert.equal(name(proxied()), "--cookie-name=__Host-_team-a_demo");
    const below = { exposure: { externalURL: "https://example.com/a" } };
    assert.equal(name(proxied({ redirectURL: undefined }, below)), "--cookie-name=__Secure-_team-a_demo");
    const local = proxied({ redirectURL: "http://localhost:5000/oauth2/callback" });
    assert.equal(name(local), "--cookie-name=_team-a_demo");
  });

  test("a session cookie is secure, except for http redirect URLs", () => {
    assert.ok(argsOf(proxied()).includes("--cookie-secure=true"));
    assert.ok(argsOf(proxied({ redirectURL: undefined })).includes("--cookie-secure=true"));
    assert.ok(
      argsOf(proxied({ redirectURL: "http://localhost:5000/oauth2/callback" })).includes("--cookie-secure=false"),
    );
  });

  test("Kubernetes expands no variable in an argument", () => {
    assert.ok(argsOf(proxied({ clientID: "$(HOME)" })).includes("--client-id=$$(HOME)"));
  });
});

describe("sessions in Redis", () => {
  const redis = {
    url: "rediss://redis.example.com:6379",
    username: "mlflow",
    passwordSecretRef: { name: "redis", key: "password" },
    ca: { configMapRef: { name: "redis-ca" } },
  };
  const references = [
    client,
    issuingCa,
    secret("redis", { password: "secret-of-redis" }),
    configMap("redis-ca", { "ca.crt": "certificates" }),
  ];
  const kept = proxied({ session: { redis } }, {}, references);

  test("the password is only a reference to its Secret", () => {
    assert.deepEqual(containerOf(kept, "oauth2-proxy").env, [
      { name: "OAUTH2_PROXY_REDIS_PASSWORD", valueFrom: { secretKeyRef: { name: "redis", key: "password" } } },
    ]);
    assert.doesNotMatch(JSON.stringify(all(kept)), /secret-of-redis/);
  });

  test("the pod checks Redis first, with the proxy's CA bundle", () => {
    const mounts = (name: string) =>
      containerOf(kept, name).volumeMounts?.filter((mount) => mount.name === "ca-redis").length;
    assert.deepEqual([mounts("sessions"), mounts("oauth2-proxy"), mounts("mlflow")], [1, 1, 0]);
    assert.throws(() => containerOf(proxied(), "sessions"));
  });

  test("a new password rolls the pods", () => {
    const other = [client, issuingCa, secret("redis", { password: "another" }), ...references.slice(3)];
    assert.notEqual(inputsHash(proxied({ session: { redis } }, {}, other)), inputsHash(kept));
  });
});

describe("secrets", () => {
  test("are files from their Secrets, and in no other object", () => {
    const text = JSON.stringify(deploymentOf(proxied()));
    assert.doesNotMatch(text, /secret-of-the-client|cccccccc/);
    const volumes = deploymentOf(proxied()).spec.template.spec?.volumes?.map(({ secret }) => secret);
    assert.ok(volumes?.some((each) => each?.secretName === "client" && each.items?.[0]?.key === "secret"));
    assert.ok(volumes?.some((each) => each?.secretName === "demo-session" && each.items?.length === 1));
  });

  test("a public client has no secret", () => {
    assert.ok(argsOf(proxied({ clientSecretRef: undefined })).includes("--client-secret-file=/dev/null"));
  });

  test("the cookie secret is kept with the other keys after the proxy is removed", () => {
    assert.equal(secretText(proxied(), "demo-session", "cookie-secret"), "c".repeat(32));
    const former = inputs();
    assert.equal(secretText(former, "demo-session", "cookie-secret"), "");
    const kept = { ...former, session: { ...former.session, cookieSecret: "k".repeat(32) } };
    assert.equal(secretText(kept, "demo-session", "cookie-secret"), "k".repeat(32));
  });

  test("a new cookie secret or CA bundle rolls the pods; a new client secret, which is read at each login, does not", () => {
    const hash = inputsHash(proxied());
    const otherCookie = { ...proxied(), session: { ...proxied().session, cookieSecret: "x".repeat(32) } };
    assert.notEqual(inputsHash(otherCookie), hash);
    assert.notEqual(inputsHash(proxied({}, {}, [client, configMap("dex-ca", { "ca.crt": "others" })])), hash);
    assert.equal(inputsHash(proxied({}, {}, [secret("client", { secret: "another" }), issuingCa])), hash);
  });

  test("a change rolls the pods if another key of the same Secret is read only once", () => {
    const shared: Partial<MlflowServerSpec> = { server: { envFrom: [{ secretRef: { name: "client" } }] } };
    assert.notEqual(
      inputsHash(proxied({}, shared, [secret("client", { secret: "another" }), issuingCa])),
      inputsHash(proxied({}, shared)),
    );
  });

  test("an unused cookie secret changes nothing for a server without a proxy", () => {
    const former = inputs();
    const unused = { ...former, session: { ...former.session, cookieSecret: "k".repeat(32) } };
    assert.equal(inputsHash(unused), inputsHash(former));
  });
});

describe("trusted issuers", () => {
  test("only the issuer, unless the spec has more", () => {
    assert.ok(!argsOf(proxied()).some((argument) => argument.startsWith("--extra-jwt-issuers")));
    const more = argsOf(
      proxied({
        extraJWTIssuers: [{ issuer: "https://ci.example.com", audience: "mlflow" }],
        acceptServiceAccountTokens: {},
      }),
    ).filter((argument) => argument.startsWith("--extra-jwt-issuers"));
    const ofCluster = "https://kubernetes.default.svc.cluster.local";
    assert.deepEqual(more, [
      "--extra-jwt-issuers=https://ci.example.com=mlflow",
      `--extra-jwt-issuers=${ofCluster}=${ofCluster}`,
    ]);
  });

  test("the keys of each are checked before the pod starts", () => {
    const check = containerOf(
      proxied({ acceptServiceAccountTokens: { issuer: "https://api.example.com" } }),
      "issuers",
    );
    const issuers = check.env?.find(({ name }) => name === "ISSUERS")?.value ?? "";
    assert.deepEqual(JSON.parse(issuers), [
      {
        issuer: "https://dex.example.com/dex",
        path: "spec.authentication.oauth2Proxy.issuerURL",
        ca: "spec.authentication.oauth2Proxy.ca",
      },
      {
        issuer: "https://api.example.com",
        path: "spec.authentication.oauth2Proxy.acceptServiceAccountTokens",
        ca: "spec.authentication.oauth2Proxy.ca",
      },
    ]);
  });
});

describe("Kubernetes authorization", () => {
  const kubernetes = inputs(server({ authentication: { kubernetes: {} } }));

  test("uses the caller's token, in the server's own namespace", () => {
    const environment = environmentOf(deploymentOf(kubernetes));
    assert.deepEqual(containerOf(kubernetes, "mlflow").args, ["--app-name", "kubernetes-auth"]);
    assert.equal(environment["MLFLOW_K8S_AUTH_AUTHORIZATION_MODE"], "self_subject_access_review");
    assert.equal(environment["MLFLOW_K8S_AUTH_NAMESPACE"], "team-a");
    assert.equal(environment["MLFLOW_K8S_AUTH_WORKSPACES_ENABLED"], "false");
  });

  test("the server has no token that the API server accepts", () => {
    const spec = deploymentOf(kubernetes).spec.template.spec;
    assert.equal(spec?.automountServiceAccountToken, false);
    const tokens = spec?.volumes
      ?.flatMap(({ projected }) => projected?.sources ?? [])
      .map((s) => s.serviceAccountToken);
    assert.deepEqual(
      tokens?.filter((token) => token !== undefined).map(({ audience }) => audience),
      ["unused"],
    );
    assert.ok(!all(kubernetes).some((object) => /Role/.test(object.kind)));
  });

  test("the proxy forwards the caller's token only with Kubernetes authorization", () => {
    assert.ok(argsOf(proxied({ authorization: { kubernetes: {} } })).includes("--pass-authorization-header=true"));
    assert.ok(argsOf(proxied()).includes("--pass-authorization-header=false"));
    const mounts = containerOf(proxied({ authorization: { kubernetes: {} } }), "oauth2-proxy").volumeMounts;
    assert.doesNotMatch(JSON.stringify(mounts), /serviceaccount/);
  });
});

describe("its image", () => {
  const imageOf = (image: ProxySettings["image"]) => containerOf(proxied({ image }), "oauth2-proxy").image;
  const digest = `sha256:${"0".repeat(64)}`;

  test("is the operator's default with the fields of the spec", () => {
    assert.equal(imageOf(undefined), "example.com/oauth2-proxy:v7.15.6");
    assert.equal(imageOf({ tag: "v7.16.0" }), "example.com/oauth2-proxy:v7.16.0");
    assert.equal(imageOf({ repository: "mirror:5000/o2p" }), "mirror:5000/o2p:v7.15.6");
    assert.equal(imageOf({ tag: "v7.16.0", digest }), `example.com/oauth2-proxy@${digest}`);
  });

  test("needs the pull secrets of both images", () => {
    const of = proxied(
      { image: { pullSecrets: [{ name: "a" }, { name: "b" }] } },
      { image: { pullSecrets: [{ name: "b" }, { name: "c" }] } },
    );
    const names = deploymentOf(of).spec.template.spec?.imagePullSecrets?.map(({ name }) => name);
    assert.deepEqual(names, ["b", "c", "a"]);
  });
});

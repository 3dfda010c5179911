import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Exposure } from "../../src/api/fields/exposure.ts";
import type { ProxySettings } from "../../src/api/fields/oauth2-proxy.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { signInPage } from "../../src/features/authentication/sign-in-page.ts";
import type { Ingress } from "../../src/kube/manifests.ts";
import { externalAddressOf } from "../../src/model/exposure.ts";
import { apiRoute } from "../../src/resources/proxy/arguments.ts";
import { all, deploymentOf, environmentOf, inputs, programsOf, server } from "../support/fixtures.ts";
import { redirectOfScript } from "../support/page-script.ts";

const prefix = "/clusters/c1/mlflow";
const externalURL = `https://platform.example.com${prefix}`;
const proxy: ProxySettings = {
  issuerURL: "https://dex.example.com/dex",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
};
const disabled = { authentication: { none: {} } };
const oidc = {
  discoveryURL: "https://id.example.com/.well-known/openid-configuration",
  clientID: "mlflow",
  clientSecretRef: { name: "oidc", key: "secret" },
  userGroup: "mlflow",
  adminGroup: "mlflow-admin",
};

const exposed = (spec: Partial<MlflowServerSpec> = {}, url = externalURL) =>
  inputs(server({ exposure: { externalURL: url }, ...spec }));
const environment = (of: ReturnType<typeof inputs>) => environmentOf(deploymentOf(of));
const container = (of: ReturnType<typeof inputs>, name: string) =>
  deploymentOf(of).spec.template.spec?.containers.find((each) => each.name === name);
const settingsOf = (of: ReturnType<typeof inputs>) => JSON.parse(programsOf(of)["mlflow_operator/settings.json"] ?? "");
const argsOf = (of: ReturnType<typeof inputs>) => container(of, "oauth2-proxy")?.args ?? [];

describe("the external address", () => {
  test("MLflow accepts its host and origin in addition to the Service's names", () => {
    const variables = environment(exposed());
    const hosts = variables["MLFLOW_SERVER_ALLOWED_HOSTS"]?.split(",") ?? [];
    assert.ok(hosts.includes("platform.example.com"), hosts.join());
    assert.ok(hosts.includes("demo.team-a:*"), hosts.join());
    assert.equal(variables["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"], "https://platform.example.com");
  });

  test("host and origin are as browsers send them: lower case, without the default port", () => {
    const seen = externalAddressOf(server({ exposure: { externalURL: "https://ML.example.com:443/a" } }));
    assert.deepEqual([seen?.host, seen?.origin, seen?.prefix], ["ml.example.com", "https://ml.example.com", "/a"]);
    const other = externalAddressOf(server({ exposure: { externalURL: "http://ml.example.com:8080" } }));
    assert.deepEqual([other?.host, other?.prefix], ["ml.example.com:8080", ""]);
  });

  test("is in the redirect URL of the proxy or the plugin", () => {
    assert.ok(
      argsOf(exposed({ authentication: { oauth2Proxy: proxy } })).includes(
        `--redirect-url=${externalURL}/oauth2/callback`,
      ),
    );
    const variables = environment(exposed({ authentication: { oidc } }));
    assert.equal(variables["OIDC_REDIRECT_URI"], `${externalURL}/callback`);
    assert.equal(variables["SESSION_COOKIE_SECURE"], "true");
    assert.equal(variables["SESSION_COOKIE_NAME"], "__Secure-_team-a_demo");
  });

  test("without a prefix nothing is stripped, and the proxy has its default paths", () => {
    const plain = exposed({ authentication: { oauth2Proxy: proxy } }, "https://mlflow.example.com");
    assert.deepEqual(container(plain, "mlflow")?.args, ["--app-name", "mlflow-operator"]);
    assert.equal(settingsOf(plain).prefix, null);
    assert.ok(argsOf(plain).includes("--redirect-url=https://mlflow.example.com/oauth2/callback"));
    assert.ok(argsOf(plain).includes("--skip-provider-button=true"));
    assert.ok(!argsOf(plain).some((each) => /proxy-prefix|cookie-path|templates/.test(each)));
  });
});

describe("a prefix", () => {
  test("is stripped before MLflow with every authentication method", () => {
    const ldap = {
      url: "ldaps://ldap.example.com",
      userBind: "uid=%s,dc=example,dc=com",
      groups: { searchBase: "dc=x", filter: "(member=%s)", admin: "cn=a", user: "cn=u" },
    };
    const ways = [
      [disabled.authentication, "plain", "mlflow-operator"],
      [{ basic: {} }, "basic-auth", "basic-auth"],
      [{ kubernetes: {} }, "kubernetes-auth", "kubernetes-auth"],
      [{ ldap }, "basic-auth", "basic-auth"],
      [{ oidc }, "oidc-auth", "oidc-auth"],
    ] as const;
    for (const [authentication, application, name] of ways) {
      const of = exposed({ authentication });
      assert.deepEqual(container(of, "mlflow")?.args, ["--app-name", name]);
      assert.equal(environment(of)["PYTHONPATH"], "/etc/mlflow/python");
      assert.equal(settingsOf(of).application, application);
      assert.deepEqual(settingsOf(of).prefix, { path: prefix, host: "platform.example.com", isProxied: false });
    }
  });

  test("a change rolls the pods", () => {
    const template = (url?: string) => deploymentOf(exposed(disabled, url)).spec.template;
    assert.notDeepEqual(template(), template(`${externalURL}2`));
  });

  test("applies to the proxy's own paths and cookies", () => {
    const args = argsOf(exposed({ authentication: { oauth2Proxy: proxy } }));
    assert.ok(args.includes(`--proxy-prefix=${prefix}/oauth2`));
    assert.ok(args.includes(`--cookie-path=${prefix}`));
    assert.ok(!args.some((each) => /skip-provider-button|reverse-proxy|skip-auth/.test(each)));
  });
});

describe("the answer to a program without a credential", () => {
  const isApi = (prefix: string, path: string) => new RegExp(apiRoute(prefix)).test(path);

  test("is 401 on all paths except pages", () => {
    for (const each of [prefix, "/oxen/mlflow", "/oauth", "/a", "/a-b.c_d~e", "/mlflow"]) {
      for (const page of [
        "/",
        "/?x",
        each,
        `${each}?x=/api`,
        `${each}/`,
        `${each}/?x`,
        "/oauth2/",
        "/oauth2/callback?x",
      ])
        assert.equal(isApi(each, page), false, `${each}: ${page}`);
      for (const path of [
        ...[
          "/api",
          "/api/",
          "/health",
          "/v1/traces",
          "/o",
          "/oauth2",
          "/oauth2x",
          "/%2f",
          "//",
          "/./",
          "/static-files/x",
        ],
        ...[
          `${each}x`,
          `${each}//`,
          `${each}/api`,
          `${each}/oauth2/x`,
          `${each}${each}`,
          each.slice(0, -1),
          each.slice(0, 2),
        ],
        ...[`${each}%2f`, `/${each}`, each.toUpperCase(), `${each.slice(0, -1)}?x`],
      ])
        if (!["/", "/?x", each].includes(path)) assert.equal(isApi(each, path), true, `${each}: ${path}`);
    }
  });

  test("without a prefix there is one page", () => {
    for (const page of ["/", "/?x"]) assert.equal(isApi("", page), false);
    for (const path of ["/api", "/oauth2/callback", "//"]) assert.equal(isApi("", path), true);
  });
});

describe("the page that redirects to the login", () => {
  const seen = externalAddressOf(server({ exposure: { externalURL } }));
  assert.ok(seen !== undefined);
  const page = signInPage(seen);
  const way = (url: string) => redirectOfScript(page, url);
  const start = (proxy: string, back: string) =>
    `https://platform.example.com${proxy}/oauth2/start?rd=${encodeURIComponent(back)}`;

  test("starts the login below the prefix, with the whole path to return to", () => {
    assert.equal(way(`${externalURL}/?a=b#/models`), start(prefix, `${prefix}/?a=b#/models`));
    assert.equal(way(externalURL), start(prefix, `${prefix}/`));
    assert.equal(way(`${externalURL}/oauth2/sign_in?rd=https://evil.example.com`), start(prefix, `${prefix}/`));
    assert.equal(way(`${externalURL}${prefix}/oauth2/sign_in`), start(`${prefix}${prefix}`, `${prefix}/`));
  });

  test("repeats the prefix once if a gateway has stripped it", () => {
    assert.equal(way(`${externalURL}/oauth2/start?rd=%2Fx`), `${externalURL}${prefix}/oauth2/start?rd=%2Fx`);
    assert.equal(way(`${externalURL}/oauth2/callback?code=c`), `${externalURL}${prefix}/oauth2/callback?code=c`);
  });

  test("redirects from another address to the address of the login", () => {
    assert.equal(way("http://demo.team-a:5000/#/models"), `${externalURL}/#/models`);
    assert.equal(way(`http://platform.example.com${prefix}/`), `${externalURL}/`);
    assert.equal(way(`${externalURL}2/`), `${externalURL}/`);
  });
});

describe("the proxy's timeout for storing an artifact", () => {
  test("follows maxUploadSize", () => {
    const waits = (maxUploadSize: string) =>
      argsOf(
        exposed({ authentication: { oauth2Proxy: proxy }, artifactStore: { persistentVolume: {}, maxUploadSize } }),
      ).find((each) => each.startsWith("--upstream-timeout"));
    assert.equal(waits("1Gi"), "--upstream-timeout=600s");
    assert.equal(waits("100Gi"), "--upstream-timeout=12800s");
  });
});

describe("hosts of Ingress and HTTPRoute", () => {
  const led = (exposure: Exposure, spec: Partial<MlflowServerSpec> = {}) => inputs(server({ exposure, ...spec }));
  const urlOf = (exposure: Exposure) => externalAddressOf(server({ exposure }))?.url;
  const hosts = [{ host: "mlflow.example.com" }, { host: "traces.example.com" }];

  test("determine the default URL: https, except for an Ingress without a certificate", () => {
    const httpRoute = { parentRefs: [{ name: "platform" }], hostnames: ["by-route.example.com"] };
    assert.equal(urlOf({ ingress: { hosts } }), "http://mlflow.example.com");
    assert.equal(urlOf({ ingress: { hosts, tls: [{ secretName: "tls" }] } }), "https://mlflow.example.com");
    assert.equal(urlOf({ httpRoute }), "https://by-route.example.com");
    assert.equal(urlOf({ httpRoute, ingress: { hosts } }), "http://mlflow.example.com");
    assert.equal(urlOf({ externalURL, ingress: { hosts } }), externalURL);
  });

  test("are allowed hosts and origins in MLflow", () => {
    const httpRoute = { parentRefs: [{ name: "platform" }], hostnames: ["by-route.example.com"] };
    const variables = environment(
      led({ externalURL: "https://mlflow.example.com:8443/a", ingress: { hosts }, httpRoute }),
    );
    const answered = variables["MLFLOW_SERVER_ALLOWED_HOSTS"]?.split(",") ?? [];
    const outside = ["mlflow.example.com:8443", "traces.example.com:8443", "by-route.example.com:8443"];
    for (const host of outside) assert.ok(answered.includes(host), `${host}: ${answered}`);
    const origins = variables["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"]?.split(",");
    assert.deepEqual(
      origins,
      outside.map((host) => `https://${host}`),
    );
  });
});

describe("the Ingress", () => {
  const of = (exposure: Exposure) => {
    const wanted = all(inputs(server({ exposure })));
    const found = wanted.find((each): each is Ingress => each.kind === "Ingress");
    assert.ok(found !== undefined);
    return found;
  };
  const pathsOf = ({ spec }: Ingress) =>
    spec.rules?.map(({ host, http }) => [
      host,
      ...(http?.paths.map(({ path, pathType }) => `${pathType} ${path}`) ?? []),
    ]);

  test("routes the host of the URL to the Service, with class, annotations and certificates", () => {
    const annotations = { "nginx.ingress.kubernetes.io/proxy-body-size": "0" };
    const { metadata, spec } = of({
      externalURL: "https://mlflow.example.com:8443",
      ingress: { className: "nginx", annotations, tls: [{ secretName: "tls" }] },
    });
    assert.deepEqual(
      [metadata.name, metadata.namespace, metadata.ownerReferences?.[0]?.uid],
      ["demo", "team-a", "uid-of-demo"],
    );
    assert.equal(metadata.annotations?.["nginx.ingress.kubernetes.io/proxy-body-size"], "0");
    assert.deepEqual(spec, {
      ingressClassName: "nginx",
      tls: [{ secretName: "tls", hosts: ["mlflow.example.com"] }],
      rules: [
        {
          host: "mlflow.example.com",
          http: {
            paths: [{ path: "/", pathType: "Prefix", backend: { service: { name: "demo", port: { number: 5000 } } } }],
          },
        },
      ],
    });
  });

  test("keeps the prefix, before the paths of the spec", () => {
    const hosts = [{ host: "platform.example.com" }, { host: "traces.example.com", paths: ["/v1/traces", "/"] }];
    assert.deepEqual(pathsOf(of({ externalURL, ingress: { hosts } })), [
      ["platform.example.com", `Prefix ${prefix}`],
      ["traces.example.com", `Prefix ${prefix}/v1/traces`, `Prefix ${prefix}`],
    ]);
    const [, traces] = pathsOf(of({ ingress: { hosts } })) ?? [];
    assert.deepEqual(traces, ["traces.example.com", "Prefix /v1/traces", "Prefix /"]);
  });

  test("has the hosts of each certificate", () => {
    const hosts = [{ host: "a.example.com" }, { host: "b.example.com" }];
    const tls = [{ secretName: "all" }, { secretName: "one", hosts: ["b.example.com"] }];
    assert.deepEqual(of({ ingress: { hosts, tls } }).spec.tls, [
      { secretName: "all", hosts: ["a.example.com", "b.example.com"] },
      { secretName: "one", hosts: ["b.example.com"] },
    ]);
  });
});

describe("the HTTPRoute", () => {
  test("is attached to the Gateways, routes the prefix to the Service, and has no timeout for uploads", () => {
    const parentRefs = [{ name: "platform", namespace: "gateways", sectionName: "https" }];
    const found = all(inputs(server({ exposure: { externalURL, httpRoute: { parentRefs } } }))).find(
      ({ kind }) => kind === "HTTPRoute",
    );
    assert.ok(found?.kind === "HTTPRoute");
    assert.deepEqual(found.spec, {
      parentRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", ...parentRefs[0] }],
      hostnames: ["platform.example.com"],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: prefix } }],
          backendRefs: [{ group: "", kind: "Service", name: "demo", port: 5000, weight: 1 }],
          timeouts: { request: "0s" },
        },
      ],
    });
  });
});

test("no server is exposed by default", () => {
  for (const exposure of [undefined, { externalURL }])
    assert.ok(
      all(inputs(server(exposure && { exposure }))).every(({ kind }) => kind !== "Ingress" && kind !== "HTTPRoute"),
    );
});

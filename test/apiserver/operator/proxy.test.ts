import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { onK3s, sharedControlPlane } from "../../control-plane/shared.ts";
import { type Fixture, fixture } from "../../support/operator-fixture.ts";
import { type Modification, secret, server, withoutAuthentication } from "../../support/servers.ts";

const name = "mlflow";
const proxy = {
  issuerURL: "https://dex.example.com/dex",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
  clientSecretRef: { name: "client", key: "secret" },
};
const behindProxy: Modification = { "spec.authentication": { oauth2Proxy: proxy } };

async function keysOf({ objects }: Fixture) {
  return (await objects.the("Secret", `${name}-session`)).data ?? {};
}

async function templateOf({ objects }: Fixture) {
  const { spec } = await objects.the("Deployment", name);
  return spec.template;
}

describe("an oauth2-proxy that is added and removed", { skip: onK3s(), concurrency: 2 }, () => {
  before(async () => void (await sharedControlPlane()));

  test("its cookie secret is added to the server's keys, does not change them, and is kept", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", secret("client", { secret: "of-the-client" }));
    await stage.apply(server(name, withoutAuthentication));
    await stage.ready(name);
    const bare = await keysOf(stage);
    assert.equal(bare["cookie-secret"], undefined);
    const { metadata: first } = await templateOf(stage);

    await stage.apply(server(name, behindProxy));
    await stage.ready(name);
    const { "cookie-secret": cookieSecret = "", ...others } = await keysOf(stage);
    assert.deepEqual(others, bare);
    assert.match(Buffer.from(cookieSecret, "base64").toString(), /^[A-Za-z0-9]{32}$/);
    const { spec } = await templateOf(stage);
    assert.deepEqual(spec?.containers.map((each) => each.name).sort(), ["mlflow", "oauth2-proxy"]);
    assert.deepEqual(
      spec?.initContainers?.map((each) => each.name),
      ["programs", "issuers"],
    );

    await stage.apply(server(name, withoutAuthentication));
    await stage.ready(name);
    assert.equal((await keysOf(stage))["cookie-secret"], cookieSecret);
    const { metadata: last, spec: after } = await templateOf(stage);
    assert.deepEqual(last?.annotations, first?.annotations);
    assert.deepEqual(
      after?.containers.map((each) => each.name),
      ["mlflow"],
    );
    assert.deepEqual(
      after?.initContainers?.map((each) => each.name),
      ["programs"],
    );
  });

  test("a new cookie secret rolls the pods, a new client secret does not", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", secret("client", { secret: "of-the-client" }));
    await stage.apply(server(name, behindProxy));
    await stage.ready(name);
    const before = (await templateOf(stage)).metadata?.annotations;

    await stage.objects.patch("Secret", "client", { stringData: { secret: "with a line break\n" } });
    await stage.stalled("InvalidSecret", name);
    await stage.objects.patch("Secret", "client", { stringData: { secret: "another" } });
    await stage.ready(name);
    assert.deepEqual((await templateOf(stage)).metadata?.annotations, before);

    await stage.objects.patch("Secret", `${name}-session`, { stringData: { "cookie-secret": "z".repeat(32) } });
    await stage.apply(server(name, behindProxy, { "spec.authentication.oauth2Proxy.clientID": "other" }));
    await stage.ready(name);
    assert.notDeepEqual((await templateOf(stage)).metadata?.annotations, before);
  });

  test("once it has converged, nothing is applied", async (context) => {
    const stage = await fixture(context);
    await stage.objects.create("Secret", secret("client", { secret: "of-the-client" }));
    const kubernetes = {
      "spec.authentication": { oauth2Proxy: { ...proxy, authorization: { kubernetes: {} } } },
      "spec.authentication.oauth2Proxy.acceptServiceAccountTokens": {},
    };
    await stage.apply(server(name, kubernetes));
    const { metadata } = await stage.ready(name);
    const deployment = await stage.objects.the("Deployment", name);
    assert.equal(deployment.metadata.generation, 1, "it was written again after it was created");
    const mark = await stage.quiet();
    await stage.objects.patch("MlflowServer", name, { metadata: { annotations: { touched: "once" } } });
    await new Promise((resolve) => setTimeout(resolve, 2000));
    assert.deepEqual(await stage.writes(mark), []);
    assert.equal(metadata.name, name);
  });
});

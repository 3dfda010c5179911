import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { proxyFiles } from "../../src/resources/proxy/files.ts";
import { freePort } from "../control-plane/free-port.ts";
import { webSession } from "../support/oidc/web-session.ts";
import { missingDex, startDex } from "./dex.ts";
import { raw } from "./raw.ts";
import { startProxy } from "./running-proxy.ts";

const search = "/api/2.0/mlflow/experiments/search";
const unavailableReason = missingDex;

describe("Dex as the issuer", { skip: unavailableReason }, () => {
  test("a user signs in with a browser, and a program uses the same ID token", async () => {
    const port = await freePort();
    const redirectURL = `http://127.0.0.1:${port}/oauth2/callback`;
    const dex = await startDex("of-mlflow", redirectURL);
    const running = await startProxy({
      port,
      proxy: {
        issuerURL: dex.url,
        clientID: "mlflow",
        clientSecretRef: { name: "client", key: "secret" },
        ca: { configMapRef: { name: "ca" } },
        redirectURL,
        allowedGroups: ["mlflow"],
        authorization: { kubernetes: {} },
      },
      files: { [proxyFiles.issuerCa]: dex.ca, [proxyFiles.clientSecret]: "of-mlflow" },
    }).catch(async (error: unknown) => {
      await dex.stop();
      throw error;
    });
    try {
      const browser = webSession({ ca: dex.ca });
      const page = await browser.signIn(`http://127.0.0.1:${port}/`, "alice@example.com", dex.password);
      assert.equal(page.status, 200, page.body);
      // MLflow receives Dex's ID token, which a program can send itself.
      const token = running.forwarded()[0]?.headers.authorization ?? "";
      assert.match(token, /^Bearer ey/);
      assert.equal((await raw(port, "GET", search, [`Authorization: ${token}`])).status, 200);
      assert.equal(running.forwarded()[0]?.headers.authorization, token);
      assert.equal((await raw(port, "GET", search, [`Authorization: ${token}x`])).status, 401);
    } finally {
      await running.stop();
      await dex.stop();
    }
  });
});

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { program } from "../../src/resources/pod/program.ts";
import { checkIssuersProgram } from "../../src/resources/python-programs.ts";
import { completed } from "../control-plane/completed.ts";
import { certificateFor } from "../support/oidc/certificate.ts";
import { type OidcIssuer, startOidcIssuer } from "../support/oidc/oidc-issuer.ts";

const hasPython = (await completed("python3", ["--version"]).catch(() => ({ code: 1 }))).code === 0;

describe("the check of issuers before the proxy starts", { skip: !hasPython && "no python3 on PATH" }, () => {
  let directory: string;
  let issuer: OidcIssuer;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "mlflow-operator-check-"));
    issuer = await startOidcIssuer({ clients: [], people: [] });
    await writeFile(join(directory, "ca.crt"), issuer.ca);
  });
  after(async () => {
    await issuer.close();
    await rm(directory, { recursive: true });
  });

  const check = async (url: string, caFiles = ["ca.crt"], entry: object = {}) => {
    const log = join(directory, "termination-log");
    await rm(log, { force: true });
    const env = {
      ...process.env,
      ISSUERS: JSON.stringify([
        {
          issuer: url,
          path: "spec.authentication.oauth2Proxy.issuerURL",
          ca: "spec.authentication.oauth2Proxy.ca",
          ...entry,
        },
      ]),
      CA_FILES: JSON.stringify(caFiles.map((file) => join(directory, file))),
      TERMINATION_LOG: log,
      STARTUP_SECONDS: "0",
    };
    const { command, variable } = program(checkIssuersProgram);
    const { code } = await completed("python3", command.slice(1), {
      env: { ...env, [variable.name]: variable.value ?? "" },
    });
    const said = await readFile(log, "utf8").catch(() => undefined);
    assert.equal(code, said === undefined ? 0 : 1);
    const { reason = "", message = "" }: { reason?: string; message?: string } = JSON.parse(said ?? "{}");
    return { reason, message };
  };

  test("accepts a valid issuer without output", async () => {
    assert.equal((await check(issuer.url)).reason, "");
  });

  test("reports an issuer with another name in its metadata, even if only a slash differs", async () => {
    const { reason, message } = await check(`${issuer.url}/`);
    assert.equal(reason, "IssuerMismatch");
    assert.ok(message.includes(`has the issuer ${issuer.url}.`), message);
  });

  test("rejects an issuer with an unknown CA certificate, and names the field for it", async () => {
    const { reason, message } = await check(issuer.url, []);
    assert.equal(reason, "IssuerUntrusted");
    assert.match(message, /spec\.authentication\.oauth2Proxy\.ca/);
  });

  test("accepts an issuer of MLflow's plugin with its discovery document at another URL", async () => {
    const discovery = `${issuer.url.replace("127.0.0.1", "localhost")}/.well-known/openid-configuration`;
    assert.equal((await check(issuer.url, ["ca.crt"], { discovery })).reason, "");
    const ca = "spec.authentication.oidc.ca";
    const { reason, message } = await check("https://id.example.com", ["ca.crt"], { discovery, ca });
    assert.equal(reason, "IssuerMismatch");
    assert.ok(message.includes(`has the issuer ${issuer.url}.`), message);
    assert.ok((await check(issuer.url, [], { discovery, ca })).message.includes(ca));
  });

  test("requires keys over TLS, unless the issuer itself uses HTTP", async () => {
    const clear = await startOidcIssuer({ scheme: "http", clients: [], people: [] });
    const discovery = `${clear.url}/.well-known/openid-configuration`;
    const { reason } = await check(clear.url, [], { discovery }).finally(() => clear.close());
    assert.equal(reason, "");
  });

  test("rejects a CA bundle without certificates", async () => {
    await writeFile(join(directory, "empty.crt"), "");
    await writeFile(join(directory, "broken.crt"), "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n");
    for (const file of ["empty.crt", "broken.crt", "missing.crt"])
      assert.equal((await check(issuer.url, [file])).reason, "InvalidCertificateAuthority", file);
  });

  test("reports an issuer that does not answer, or not with a discovery document", async () => {
    assert.equal((await check("https://127.0.0.1:1")).reason, "IssuerUnreachable");
    assert.equal((await check("https://no-such-host.invalid")).reason, "IssuerUnreachable");
    assert.equal((await check(`${issuer.url}/elsewhere`)).reason, "IssuerUnreachable");
  });

  test("reports an API server that requires a credential for its keys, with the binding as the fix", async () => {
    const { key, cert, ca } = await certificateFor("127.0.0.1");
    await writeFile(join(directory, "other.crt"), ca);
    const server = createServer({ key, cert }, (_, outgoing) => outgoing.writeHead(403).end("{}"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const url = `https://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    const found = await check(url, ["other.crt"], {
      path: "spec.authentication.oauth2Proxy.acceptServiceAccountTokens",
    }).finally(() => server.close());
    assert.equal(found.reason, "IssuerForbidden");
    assert.match(found.message, /system:service-account-issuer-discovery.*system:unauthenticated/);
  });
});

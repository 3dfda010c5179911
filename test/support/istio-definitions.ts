import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { completed } from "../control-plane/completed.ts";
import { eventually } from "./eventually.ts";
import { applyPatch, pathOf } from "./objects.ts";

interface Definition {
  readonly metadata: { readonly name: string };
}

const wanted = ["gateways.gateway.networking.k8s.io", "authorizationpolicies.security.istio.io"];

/** Installs the definitions as Istio and the Gateway API publish them, in their Go modules. */
export async function installIstioDefinitions(cluster: ClusterAccess): Promise<void> {
  const gatewayApi = await moduleFolder("sigs.k8s.io/gateway-api@v1.3.0");
  const istio = await moduleFolder("istio.io/api@v1.30.8");
  const files = [
    join(gatewayApi, "config/crd/standard/gateway.networking.k8s.io_gateways.yaml"),
    join(istio, "kubernetes/customresourcedefinitions.gen.yaml"),
  ];
  const documents = (await Promise.all(files.map(async (file) => loadAll(await readFile(file, "utf8"))))).flat();
  const definitions = documents.filter(isDefinition).filter(({ metadata }) => wanted.includes(metadata.name));
  assert.equal(definitions.length, wanted.length);
  for (const definition of definitions) {
    const path = `${root}/${definition.metadata.name}`;
    const answer = await cluster.request("PATCH", `${path}?fieldManager=test&force=true`, {
      body: definition,
      headers: { "content-type": applyPatch },
      timeoutMilliseconds: 30_000,
    });
    assert.ok(answer.status < 300, answer.body);
  }
  for (const kind of ["Gateway", "AuthorizationPolicy"] as const)
    await eventually(async () => assert.equal((await cluster.request("GET", pathOf(kind, "default"))).status, 200));
}

export async function removeIstioDefinitions(cluster: ClusterAccess): Promise<void> {
  for (const name of wanted) await cluster.request("DELETE", `${root}/${name}`);
}

const root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

function isDefinition(document: unknown): document is Definition {
  return typeof document === "object" && document !== null && "metadata" in document;
}

/** Where the sources of a Go module are, fetched once into Go's own cache. */
async function moduleFolder(module: string): Promise<string> {
  const options = { cwd: tmpdir(), env: { ...process.env, GOFLAGS: "-mod=mod", GOWORK: "off" } };
  const { code, stdout, stderr } = await completed("go", ["mod", "download", "-json", module], options);
  assert.equal(code, 0, `go mod download ${module}: ${stdout} ${stderr}`);
  const { Dir }: { Dir: string } = JSON.parse(stdout);
  return Dir;
}

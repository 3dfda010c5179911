import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadAll } from "js-yaml";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { completed } from "../control-plane/completed.ts";
import { eventually } from "./eventually.ts";
import { applyPatch, type ObjectKind, pathOf } from "./objects.ts";

interface Definition {
  readonly metadata: { readonly name: string };
}

const istio = ["gateways.gateway.networking.k8s.io", "authorizationpolicies.security.istio.io"];
const routes = ["httproutes.gateway.networking.k8s.io"];

/** The names of the installed definitions. Each change of one costs the API server seconds of CPU time. */
const present = new WeakMap<ClusterAccess, Set<string>>();

/** Installs the definitions as Istio and the Gateway API publish them, in their Go modules. */
export async function installIstioDefinitions(cluster: ClusterAccess): Promise<void> {
  await install(cluster, istio, ["Gateway", "AuthorizationPolicy"]);
}

export async function removeIstioDefinitions(cluster: ClusterAccess): Promise<void> {
  await remove(cluster, istio);
}

/** Installs only the kind that a sidecar mesh needs. */
export async function installAuthorizationPolicies(cluster: ClusterAccess): Promise<void> {
  await install(cluster, ["authorizationpolicies.security.istio.io"], ["AuthorizationPolicy"]);
}

/** Installs the definition of HTTPRoute as the Gateway API publishes it, in its Go module. */
export async function installRouteDefinition(cluster: ClusterAccess): Promise<void> {
  await install(cluster, routes, ["HTTPRoute"]);
}

export async function removeRouteDefinition(cluster: ClusterAccess): Promise<void> {
  await remove(cluster, routes);
}

async function remove(cluster: ClusterAccess, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await cluster.request("DELETE", `${root}/${name}`);
    present.get(cluster)?.delete(name);
  }
}

async function install(cluster: ClusterAccess, wanted: readonly string[], kinds: readonly ObjectKind[]): Promise<void> {
  const names = present.get(cluster) ?? new Set();
  present.set(cluster, names);
  const missing = wanted.filter((name) => !names.has(name));
  if (missing.length === 0) return;
  published ??= publishedDefinitions();
  const definitions = (await published).filter(({ metadata }) => missing.includes(metadata.name));
  assert.equal(definitions.length, missing.length);
  for (const definition of definitions) {
    const path = `${root}/${definition.metadata.name}`;
    const answer = await cluster.request("PATCH", `${path}?fieldManager=test&force=true`, {
      body: definition,
      headers: { "content-type": applyPatch },
    });
    assert.ok(answer.status < 300, answer.body);
  }
  for (const kind of kinds)
    await eventually(async () => assert.equal((await cluster.request("GET", pathOf(kind, "default"))).status, 200));
  for (const name of missing) names.add(name);
}

let published: Promise<readonly Definition[]> | undefined;

async function publishedDefinitions(): Promise<readonly Definition[]> {
  const gatewayApi = join(await moduleFolder("sigs.k8s.io/gateway-api@v1.6.3"), "config/crd/standard");
  const files = [
    join(gatewayApi, "gateway.networking.k8s.io_gateways.yaml"),
    join(gatewayApi, "gateway.networking.k8s.io_httproutes.yaml"),
    join(await moduleFolder("istio.io/api@v1.30.8"), "kubernetes/customresourcedefinitions.gen.yaml"),
  ];
  const documents = await Promise.all(files.map(async (file) => loadAll(await readFile(file, "utf8"))));
  return documents.flat().filter(isDefinition);
}

const root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

function isDefinition(document: unknown): document is Definition {
  return typeof document === "object" && document !== null && "metadata" in document;
}

/** Returns the folder of a Go module in the module cache of Go. */
async function moduleFolder(module: string): Promise<string> {
  const options = { cwd: tmpdir(), env: { ...process.env, GOFLAGS: "-mod=mod", GOWORK: "off" } };
  const { code, stdout, stderr } = await completed("go", ["mod", "download", "-json", module], options);
  assert.equal(code, 0, `go mod download ${module}: ${stdout} ${stderr}`);
  const { Dir }: { Dir: string } = JSON.parse(stdout);
  return Dir;
}

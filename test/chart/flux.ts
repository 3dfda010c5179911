import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sha256 } from "../../scripts/release/sha256.ts";
import { writeArchive } from "../../scripts/release/tar.ts";
import { type Report, reportOnStderr } from "../control-plane/binaries.ts";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { freePort } from "../control-plane/free-port.ts";
import { type GoModule, goModuleFolder, goPrograms } from "../control-plane/go-programs.ts";
import { applyPatch } from "../support/objects.ts";

const modulePath = "github.com/fluxcd/kustomize-controller";

const flux: GoModule = {
  directory: join(import.meta.dirname, "../control-plane/go/flux"),
  packages: { "kustomize-controller": modulePath },
  withoutGo: "Flux's kustomize-controller is built here with Go >= 1.26: install Go.",
};

/** The path of Flux's kustomize-controller, built once from its Go module with four minutes of CPU time. */
export async function kustomizeController(report: Report = reportOnStderr): Promise<string> {
  return (await goPrograms(flux, report))["kustomize-controller"] ?? "";
}

export interface KustomizationStatus {
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
  }[];
  readonly lastAppliedRevision?: string;
  readonly lastHandledReconcileAt?: string;
}

/** Flux's kustomize-controller on a control plane, and one GitRepository and its Kustomizations in a namespace. */
export interface Flux {
  /** Makes files the new revision of the repository, and returns the revision. */
  readonly publish: (files: Readonly<Record<string, string>>) => Promise<string>;
  /** Applies a Kustomization, which is reconciled immediately. */
  readonly kustomization: (name: string, spec: Readonly<Record<string, unknown>>) => Promise<void>;
  /** Lets a Kustomization be reconciled now, as `flux reconcile` does; its `lastHandledReconcileAt` becomes the returned text. */
  readonly reconcile: (name: string) => Promise<string>;
  readonly status: (name: string) => Promise<KustomizationStatus>;
  readonly log: () => string;
  readonly stop: () => Promise<void>;
}

const repository = "platform";
const sources = { GitRepository: "gitrepositories", OCIRepository: "ocirepositories", Bucket: "buckets" };

/**
 * Starts kustomize-controller as an administrator. The repository is an object whose status the test writes, with an archive that the test
 * serves: source-controller, which does this, requires a module that the Go module proxy does not have.
 */
export async function startFlux(cluster: ClusterAccess, namespace: string): Promise<Flux> {
  const program = await kustomizeController();
  await installDefinitions(cluster);
  const folder = mkdtempSync(join(tmpdir(), "flux-"));
  const server = await serve(folder);
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const [metrics, health] = [await freePort(), await freePort()];
  const args = [`--metrics-addr=127.0.0.1:${metrics}`, `--health-addr=127.0.0.1:${health}`, "--requeue-dependency=1s"];
  const child = spawn(program, args, {
    env: { PATH: process.env["PATH"], HOME: folder, KUBECONFIG: cluster.kubeconfigPath, RUNTIME_NAMESPACE: namespace },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });

  const patch = async (path: string, object: unknown, manager = "test") => {
    const options = { body: object, headers: { "content-type": applyPatch } };
    const { status, body } = await cluster.request("PATCH", `${path}?fieldManager=${manager}&force=true`, options);
    if (status >= 300) throw new Error(`${path}: ${status} ${body}`);
  };
  const pathOf = (group: string, plural: string, name: string) =>
    `/apis/${group}.toolkit.fluxcd.io/v1/namespaces/${namespace}/${plural}/${name}`;
  const repositoryPath = pathOf("source", sources.GitRepository, repository);
  const kustomizationPath = (name: string) => pathOf("kustomize", "kustomizations", name);
  const ofRepository = {
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "GitRepository",
    metadata: { name: repository },
  };
  await patch(repositoryPath, { ...ofRepository, spec: {} });
  const ofKind = { apiVersion: "kustomize.toolkit.fluxcd.io/v1", kind: "Kustomization" };
  let count = 0;

  return {
    publish: async (files) => {
      count += 1;
      const revision = `main@sha1:${String(count).padStart(40, "0")}`;
      const tree = join(folder, `tree-${count}`);
      for (const [path, content] of Object.entries(files)) {
        await mkdir(dirname(join(tree, path)), { recursive: true });
        await writeFile(join(tree, path), content);
      }
      const archive = `${count}.tar.gz`;
      await writeArchive(tree, ["."], join(folder, archive));
      const artifact = {
        path: archive,
        url: `http://127.0.0.1:${port}/${archive}`,
        revision,
        digest: `sha256:${await sha256(join(folder, archive))}`,
        lastUpdateTime: new Date().toISOString(),
      };
      await patch(`${repositoryPath}/status`, { ...ofRepository, status: { artifact } });
      return revision;
    },
    kustomization: (name, spec) => {
      const sourceRef = { kind: "GitRepository", name: repository };
      const all = { interval: "1h", retryInterval: "1s", timeout: "2m", prune: true, wait: true, sourceRef, ...spec };
      return patch(kustomizationPath(name), { ...ofKind, metadata: { name }, spec: all });
    },
    reconcile: async (name) => {
      const request = String(performance.now());
      const annotations = { "reconcile.fluxcd.io/requestedAt": request };
      await patch(kustomizationPath(name), { ...ofKind, metadata: { name, annotations } }, "flux-client");
      return request;
    },
    status: async (name) => {
      const { status, body } = await cluster.request("GET", kustomizationPath(name));
      if (status !== 200) throw new Error(`Kustomization ${name}: ${status} ${body}`);
      return JSON.parse(body).status ?? {};
    },
    log: () => log,
    stop: async () => {
      await ended(child);
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function installDefinitions(cluster: ClusterAccess): Promise<void> {
  const bases = join(await goModuleFolder(flux, modulePath), "config/crd/bases");
  const kustomizations = await readFile(join(bases, "kustomize.toolkit.fluxcd.io_kustomizations.yaml"), "utf8");
  const others = Object.entries(sources).map(([kind, plural]) => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.source.toolkit.fluxcd.io` },
    spec: {
      group: "source.toolkit.fluxcd.io",
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope: "Namespaced",
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      ],
    },
  }));
  const documents = [kustomizations, ...others.map((each) => JSON.stringify(each))].join("\n---\n");
  const applied = await cluster.kubectl(["apply", "--server-side", "-f", "-"], documents);
  if (applied.code !== 0) throw new Error(applied.stderr);
  const names = ["kustomizations.kustomize.toolkit.fluxcd.io", ...others.map(({ metadata }) => metadata.name)];
  const established = ["wait", "--for=condition=Established", "--timeout=60s", ...names.map((name) => `crd/${name}`)];
  const waited = await cluster.kubectl(established);
  if (waited.code !== 0) throw new Error(waited.stderr);
}

async function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    readFile(join(folder, (request.url ?? "").replaceAll("..", ""))).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill();
  await exited;
}

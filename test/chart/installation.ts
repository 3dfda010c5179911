import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { ClusterAccess } from "../control-plane/cluster-access.ts";
import { chart, helm } from "./helm.ts";

/** A release, installed or not, in its own namespace with Pod Security "restricted". */
export interface Installation {
  readonly namespace: string;
  /** The user name of the operator's ServiceAccount. */
  readonly user: string;
  /** Runs Helm with this release's name and namespace; returns its output. Fails the test if Helm fails. */
  readonly run: (...args: readonly string[]) => Promise<string>;
  /** The same for a command that must fail; returns the error. */
  readonly rejected: (...args: readonly string[]) => Promise<string>;
}

export const releaseName = "mlflow-operator";

export async function installation(cluster: ClusterAccess): Promise<Installation> {
  const namespace = `install-${randomUUID().slice(0, 8)}`;
  await call(cluster, "POST", "/api/v1/namespaces", {
    metadata: { name: namespace, labels: { "pod-security.kubernetes.io/enforce": "restricted" } },
  });
  const attempt = ([verb = "", ...args]: readonly string[]) =>
    helm([verb, releaseName, "--namespace", namespace, ...args], { kubeconfig: cluster.kubeconfigPath });
  return {
    namespace,
    user: `system:serviceaccount:${namespace}:${releaseName}`,
    run: async (...args) => {
      const { code, stdout, stderr } = await attempt(args);
      assert.equal(code, 0, `helm ${args.join(" ")}: ${stderr}`);
      return stdout;
    },
    rejected: async (...args) => {
      const { code, stderr } = await attempt(args);
      assert.notEqual(code, 0, `helm ${args.join(" ")} went well`);
      return stderr;
    },
  };
}

/** The response to a request of the administrator, which must succeed. */
export async function call<T>(cluster: ClusterAccess, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await cluster.request(method, path, {
    ...(body !== undefined && { body }),
  });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.body}`);
  return JSON.parse(answer.body);
}

/** Whether a user has a permission, by a SubjectAccessReview. */
export async function may(
  cluster: ClusterAccess,
  user: string,
  verb: string,
  resource: string,
  where: {
    readonly group?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly subresource?: string;
  },
): Promise<boolean> {
  const review = await call<{ status: { allowed: boolean } }>(
    cluster,
    "POST",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    { spec: { user, resourceAttributes: { verb, resource, ...where } } },
  );
  return review.status.allowed;
}

/** A changed copy of the chart, like an older or newer version. Removed after the tests of the file. */
export async function chartWith(change: (text: string) => string, file: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mlflow-operator-chart-"));
  after(() => rm(directory, { recursive: true }));
  await cp(chart, directory, { recursive: true });
  const path = join(directory, file);
  const before = await readFile(path, "utf8");
  const changed = change(before);
  assert.notEqual(changed, before, `nothing of ${file} was changed`);
  await writeFile(path, changed);
  return directory;
}

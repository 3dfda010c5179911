import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { resourcePath } from "../../src/kube/kinds.ts";
import { startControlPlane } from "../../test/control-plane/control-plane.ts";
import type { OidcIssuer } from "../../test/support/oidc/oidc-issuer.ts";
import { adminRequest } from "../admin-request.ts";

/** A kube-apiserver for access reviews, which accepts the tokens of the issuer. */
export interface Kubernetes {
  /** Environment of a pod. */
  readonly env: Readonly<Record<string, string>>;
  /** Files of its volume `api-server`. */
  readonly files: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

/** The namespace of the servers. */
const namespace = "team-a";

/** The prefix of the issuer's users. */
export const userPrefix = "oidc:";

/** Starts it with a user of the issuer who has all permissions on MLflow in the namespace, and a ServiceAccount that can request reviews. */
export async function startKubernetes(
  folder: string,
  issuer: OidcIssuer,
  audience: string,
  user: string,
  say: (line: string) => void,
): Promise<Kubernetes> {
  const configuration = join(folder, "authentication.json");
  await writeFile(configuration, JSON.stringify(authenticationConfiguration(issuer, audience)));
  const cluster = await startControlPlane({
    controllerManager: false,
    auditLog: false,
    extraArgs: [`--authentication-config=${configuration}`],
    report: say,
  });
  try {
    const create = (path: string, body: object) => adminRequest(cluster, "POST", path, body);
    const roles = "/apis/rbac.authorization.k8s.io/v1";
    await create("/api/v1/namespaces", { metadata: { name: namespace } });
    await create(resourcePath("ServiceAccount", namespace), { metadata: { name: "mlflow" } });
    await create(`${roles}/namespaces/${namespace}/roles`, {
      metadata: { name: "mlflow" },
      rules: [{ apiGroups: ["mlflow.kubeflow.org"], resources: ["*"], verbs: ["*"] }],
    });
    await create(`${roles}/namespaces/${namespace}/rolebindings`, {
      metadata: { name: "mlflow" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "mlflow" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: `${userPrefix}${user}` }],
    });
    await create(`${roles}/clusterrolebindings`, {
      metadata: { name: "mlflow-reviewer" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:auth-delegator" },
      subjects: [{ kind: "ServiceAccount", name: "mlflow", namespace }],
    });
    const { hostname, port } = new URL(cluster.url);
    return {
      env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
      files: {
        "ca.crt": await readFile(cluster.caFile, "utf8"),
        token: await cluster.tokenFor(namespace, "mlflow"),
      },
      close: cluster.close,
    };
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

function authenticationConfiguration({ url, ca }: OidcIssuer, audience: string): object {
  return {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: [
      {
        issuer: { url, audiences: [audience], certificateAuthority: ca },
        claimMappings: { username: { claim: "sub", prefix: userPrefix } },
      },
    ],
  };
}

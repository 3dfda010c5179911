import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { validate } from "../../src/api/validation.ts";
import { isKind, resourcePath } from "../../src/kube/kinds.ts";
import type { Manifest } from "../../src/kube/manifests.ts";
import { type Document, rightDocuments } from "../api/documents.ts";
import { controlPlaneBinaries } from "../control-plane/binaries.ts";
import { type ControlPlane, startControlPlane } from "../control-plane/control-plane.ts";
import { eventually } from "../support/eventually.ts";
import { all, inputs, server } from "../support/fixtures.ts";
import { installIstioDefinitions, installRouteDefinition } from "../support/istio-definitions.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { chart, helmProgram } from "./helm.ts";
import { call, type Installation, installation, releaseName } from "./installation.ts";

const unavailableReason = await controlPlaneBinaries().then(
  ({ kubeControllerManager }) => !kubeControllerManager && "KUBEBUILDER_ASSETS has no kube-controller-manager",
  (error: unknown) => String(error),
);

interface Response {
  readonly status: number;
  readonly message: string;
}

const labels = { "app.kubernetes.io/managed-by": "mlflow-operator", "mlflow-operator.dev/server": "demo" };
const rbacGroup = "rbac.authorization.k8s.io";

describe("what the operator's ServiceAccount can write", { skip: unavailableReason }, () => {
  let cluster: ControlPlane;
  let own: Installation;
  let team: string;

  before(async () => {
    if (unavailableReason) return;
    await helmProgram();
    // One of the documents has Services of both IP families.
    cluster = await startControlPlane({ extraArgs: ["--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112"] });
    await installIstioDefinitions(cluster);
    await installRouteDefinition(cluster);
    own = await installation(cluster);
    await own.run("install", chart);
    team = await freshNamespace(cluster);
    // Once one policy is in force, all are: they are compiled together.
    await eventually(async () => {
      const { message } = await writes({ apiVersion: "v1", kind: "Secret", metadata: { name: "x" } }, team);
      assert.match(message, /ValidatingAdmissionPolicy/);
    });
  });
  after(() => cluster?.close());

  /** The response of the API server to the operator's ServiceAccount in a dry run. */
  async function asOperator(method: string, path: string, body?: unknown, contentType?: string): Promise<Response> {
    const headers = { "impersonate-user": own.user, ...(contentType && { "content-type": contentType }) };
    const answer = await cluster.request(method, `${path}?dryRun=All&fieldManager=mlflow-operator`, {
      headers,
      ...(body !== undefined && { body }),
    });
    return { status: answer.status, message: answer.status < 300 ? "" : String(JSON.parse(answer.body).message) };
  }

  const writes = (manifest: object, namespace?: string): Promise<Response> => {
    const { kind } = manifest as Manifest;
    assert.ok(isKind(kind));
    return asOperator("POST", resourcePath(kind, namespace), manifest);
  };

  const denied = ({ status, message }: Response, says: RegExp, title: string) => {
    assert.equal(status, 403, `${title}: ${status} ${message}`);
    assert.match(message, says, title);
  };

  const isOfPolicy = /ValidatingAdmissionPolicy 'mlflow-operator-own-/;

  const deployment = (): Document => {
    const found = all(inputs(server())).find(({ kind }) => kind === "Deployment");
    assert.ok(found);
    return JSON.parse(JSON.stringify({ ...found, metadata: { name: "demo", labels } }));
  };

  /** The Deployment with these fields in its pods' spec, its first container and its pods' metadata. */
  const withPod = (pod: object = {}, container: object = {}, metadata: object = {}): Document => {
    const changed = deployment();
    const { template } = changed["spec"] as { template: { spec: Document; metadata: object } };
    const [first, ...others] = template.spec["containers"] as Document[];
    template.spec = { ...template.spec, containers: [{ ...first, ...container }, ...others], ...pod } as Document;
    template.metadata = { ...template.metadata, ...metadata };
    return changed;
  };

  /** A CronJob with the pods of a Deployment. */
  const cronJob = ({ metadata, spec }: Document): Document => {
    const { template } = spec as { template: { spec: object } };
    const once = { ...template, spec: { ...template.spec, restartPolicy: "Never" } };
    const jobTemplate = { spec: { template: once } };
    return { apiVersion: "batch/v1", kind: "CronJob", metadata, spec: { schedule: "@daily", jobTemplate } } as Document;
  };

  test("accepts all objects of every right document", async () => {
    const namespaced = (object: Manifest) => object.metadata.namespace !== undefined;
    for (const [title, document] of Object.entries(rightDocuments)) {
      const result = validate(document);
      assert.ok("server" in result);
      const of = { ...result.server, metadata: { ...result.server.metadata, namespace: team, uid: "u" } };
      for (const object of all(inputs(of))) {
        const { ownerReferences: _, ...metadata } = object.metadata;
        const manifest = { ...object, metadata };
        const answer = await writes(manifest, namespaced(object) ? team : undefined);
        assert.ok(answer.status < 300, `${title}: ${object.kind}/${metadata.name}: ${answer.message}`);
      }
    }
  });

  test("denies Secrets for which the API server issues tokens", async () => {
    const metadata = { name: "demo-x", labels, annotations: { "kubernetes.io/service-account.name": "default" } };
    const token = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/service-account-token", metadata };
    for (const namespace of ["kube-system", own.namespace, team])
      denied(await writes(token, namespace), isOfPolicy, namespace);
    for (const type of ["bootstrap.kubernetes.io/token", "any/type"])
      denied(await writes({ ...token, type, metadata: { name: "demo-x", labels } }, team), isOfPolicy, type);
    const opaque = { ...token, type: "Opaque", metadata: { name: "demo-x", labels } };
    assert.equal((await writes(opaque, team)).status, 201);
  });

  test("denies kube-system and the operator's own namespace, except for its Lease", async () => {
    for (const namespace of ["kube-system", "kube-public", "kube-node-lease", own.namespace]) {
      for (const kind of ["Secret", "ConfigMap", "ServiceAccount", "Deployment", "RoleBinding"] as const) {
        const base =
          kind === "Deployment" ? deployment() : { apiVersion: "v1", kind, metadata: { name: "demo", labels } };
        const roleRef = { apiGroup: rbacGroup, kind: "ClusterRole", name: "mlflow-workspace-viewer" };
        const manifest = kind === "RoleBinding" ? { ...base, apiVersion: `${rbacGroup}/v1`, roleRef } : base;
        denied(await writes(manifest, namespace), /which is protected/, `${kind} in ${namespace}`);
      }
    }
    const lease = (name: string) => ({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name } });
    assert.equal((await writes(lease(releaseName), own.namespace)).status, 201);
    denied(await writes(lease("other"), own.namespace), isOfPolicy, "another Lease");
  });

  test("denies changes and deletions of unmanaged objects, and adopting them by a label", async () => {
    for (const [kind, extra] of [
      ["ConfigMap", {}],
      ["Secret", {}],
      ["ServiceAccount", {}],
    ] as const) {
      const path = resourcePath(kind, team, "theirs");
      await call(cluster, "POST", resourcePath(kind, team), { metadata: { name: "theirs" }, ...extra });
      const patch = { metadata: { labels } };
      denied(await asOperator("PATCH", path, patch, "application/merge-patch+json"), /did not create/, kind);
      denied(await asOperator("DELETE", path), /did not create/, kind);
    }
    for (const metadata of [{ name: "x" }, { name: "x", labels }, { name: "demo", labels: { app: "x" } }])
      denied(
        await writes({ apiVersion: "v1", kind: "ConfigMap", metadata }, team),
        /only, not/,
        JSON.stringify(metadata),
      );
  });

  const drop = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
  const volume = (source: object) => [
    { volumes: [{ name: "v", ...source }], initContainers: [] },
    { volumeMounts: [{ name: "v", mountPath: "/v" }] },
  ];
  const escapes: Readonly<Record<string, readonly object[]>> = {
    "the host's files": volume({ hostPath: { path: "/" } }),
    "a volume from a server": volume({ nfs: { server: "s", path: "/" } }),
    "the host's network": [{ hostNetwork: true }],
    "the host's processes": [{ hostPID: true }],
    "the host's memory": [{ hostIPC: true }],
    "a node of choice": [{ nodeName: "control-plane" }],
    "a system priority": [{ priorityClassName: "system-node-critical" }],
    "the default ServiceAccount": [{ serviceAccountName: "default", serviceAccount: "default" }],
    "another ServiceAccount": [{ serviceAccountName: "powerful" }],
    root: [{ securityContext: { runAsNonRoot: false } }],
    "no seccomp": [{ securityContext: { runAsNonRoot: true } }],
    "no security context": [{ securityContext: undefined }],
    "a privileged container": [{}, { securityContext: { privileged: true } }],
    "no security context of a container": [{}, { securityContext: undefined }],
    "a port of the host": [{}, { ports: [{ containerPort: 1, hostPort: 1 }] }],
    "a privileged init container": [
      { initContainers: [{ name: "i", image: "i", securityContext: { privileged: true } }] },
    ],
    "a capability": [{}, { securityContext: { ...drop, capabilities: { drop: ["ALL"], add: ["SYS_ADMIN"] } } }],
    "no seccomp of a container": [{}, { securityContext: { ...drop, seccompProfile: { type: "Unconfined" } } }],
    "no AppArmor of a container": [{}, { securityContext: { ...drop, appArmorProfile: { type: "Unconfined" } } }],
    "no AppArmor by an annotation": [
      {},
      {},
      { annotations: { "container.apparmor.security.beta.kubernetes.io/mlflow": "unconfined" } },
    ],
  };
  for (const [title, changes] of Object.entries(escapes))
    test(`denies pods with ${title}`, async () => {
      const [pod, container, metadata] = changes;
      const changed = withPod(pod, container, metadata);
      for (const manifest of [changed, cronJob(changed)])
        denied(await writes(manifest, team), isOfPolicy, `${title}: ${manifest["kind"]}`);
    });

  test("denies pods with a ServiceAccount that the operator did not create, with any name", async () => {
    const accounts = resourcePath("ServiceAccount", team);
    await call(cluster, "POST", accounts, { metadata: { name: "powerful" } });
    const named = (name: string) => {
      const changed = withPod({ serviceAccountName: name });
      return { ...changed, metadata: { name, labels: { ...labels, "mlflow-operator.dev/server": name } } };
    };
    await eventually(async () => denied(await writes(named("powerful"), team), /did not create/, "powerful"));
    denied(await writes(cronJob(named("powerful")), team), /did not create/, "a CronJob");
    await call(cluster, "POST", accounts, { metadata: { name: "owned", labels } });
    await eventually(async () => assert.equal((await writes(named("owned"), team)).status, 201));
  });

  test("denies bindings to other ClusterRoles, and cluster-wide bindings for other subjects than servers", async () => {
    const binding = (kind: string, name: string, role: string, subjects: readonly object[], more: object = {}) => ({
      apiVersion: `${rbacGroup}/v1`,
      kind,
      metadata: { name, labels: { ...labels, "mlflow-operator.dev/server-namespace": "team", ...more } },
      roleRef: { apiGroup: rbacGroup, kind: "ClusterRole", name: role },
      subjects,
    });
    const ofServer = [{ kind: "ServiceAccount", name: "demo", namespace: "team" }];
    const user = [{ kind: "User", apiGroup: rbacGroup, name: "eve" }];
    const wide = (name: string, role: string, subjects: readonly object[]) =>
      writes(binding("ClusterRoleBinding", name, role, subjects));
    assert.equal((await wide("team.demo", "mlflow-server", ofServer)).status, 201);
    assert.equal((await wide("team.demo.reviewer", "mlflow-server-reviewer", ofServer)).status, 201);
    denied(await wide("x", "mlflow-server", ofServer), isOfPolicy, "another name");
    denied(await wide("team.demo", "mlflow-server", user), isOfPolicy, "a user");
    denied(await wide("team.demo", "mlflow-workspace-admin", ofServer), isOfPolicy, "a role of workspaces");
    denied(await wide("team.demo", releaseName, ofServer), isOfPolicy, "its own ClusterRole");
    denied(await writes(binding("RoleBinding", "mlflow.team.demo.viewer", releaseName, user), team), isOfPolicy, "own");
    const granted = binding("RoleBinding", "mlflow.team.demo.viewer", "mlflow-workspace-viewer", user);
    assert.equal((await writes(granted, team)).status, 201);
    const path = resourcePath("ClusterRoleBinding", undefined, "theirs");
    await call(
      cluster,
      "POST",
      resourcePath("ClusterRoleBinding"),
      binding("ClusterRoleBinding", "theirs", "view", user),
    );
    denied(await asOperator("DELETE", path), isOfPolicy, "an unmanaged binding");
  });

  test("denies external addresses, and policies, autoscalers and waypoints that do not belong to a server", async () => {
    const service = (spec: object) => ({ apiVersion: "v1", kind: "Service", metadata: { name: "demo", labels }, spec });
    const ports = [{ port: 80 }];
    const selector = { "mlflow-operator.dev/server": "demo" };
    for (const spec of [
      { ports, selector, externalIPs: ["8.8.8.8"] },
      { type: "ExternalName", externalName: "example.com" },
      { ports, selector, type: "LoadBalancer" },
      { ports, selector, type: "NodePort" },
      { ports, selector: { app: "other" } },
    ])
      denied(await writes(service(spec), team), isOfPolicy, JSON.stringify(spec));
    const outside = (spec: object) => ({ ...service({ ports, ...spec }), metadata: { name: "demo-external", labels } });
    const ofServer = { ...selector, "app.kubernetes.io/component": "server" };
    for (const type of ["LoadBalancer", "NodePort"]) {
      assert.equal((await writes(outside({ type, selector: ofServer }), team)).status, 201, type);
      for (const spec of [
        { type, selector },
        { type, selector: { ...ofServer, "mlflow-operator.dev/server": "other" } },
        { type, selector: ofServer, externalIPs: ["8.8.8.8"] },
      ])
        denied(await writes(outside(spec), team), isOfPolicy, JSON.stringify(spec));
    }
    const policy = {
      apiVersion: "security.istio.io/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "demo", labels },
    };
    for (const spec of [{}, { action: "DENY", rules: [{}] }, { selector: { matchLabels: { app: "other" } } }])
      denied(await writes({ ...policy, spec }, team), isOfPolicy, JSON.stringify(spec));
    const autoscaler = (scaleTargetRef: object) => ({
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "demo", labels },
      spec: { scaleTargetRef, maxReplicas: 2 },
    });
    for (const target of [
      { apiVersion: "apps/v1", kind: "Deployment", name: "demo" },
      { apiVersion: "mlflow-operator.dev/v1alpha1", kind: "MlflowServer", name: "another" },
    ])
      denied(await writes(autoscaler(target), team), isOfPolicy, JSON.stringify(target));
    const gateway = {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      metadata: { name: "demo-waypoint", labels },
      spec: { gatewayClassName: "nginx", listeners: [{ name: "x", port: 80, protocol: "HTTP" }] },
    };
    denied(await writes(gateway, team), isOfPolicy, "a gateway");
    const deployment = JSON.stringify({ spec: { template: { spec: { hostNetwork: true } } } });
    const parameters = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "demo-waypoint", labels } };
    denied(await writes({ ...parameters, data: { deployment } }, team), isOfPolicy, "parameters");
  });

  test("denies changes of MlflowServers except for the finalizer", async () => {
    const document = rightDocuments["smallest"] as Document;
    const path = resourcePath("MlflowServer", team);
    await call(cluster, "POST", path, document);
    const patch = (body: object) => asOperator("PATCH", `${path}/mlflow`, body, "application/merge-patch+json");
    assert.equal((await patch({ metadata: { finalizers: ["mlflow-operator.dev/release"] } })).status, 200);
    denied(await patch({ spec: { authentication: { basic: null, none: {} } } }), isOfPolicy, "the spec");
    denied(await patch({ metadata: { labels: { a: "b" } } }), isOfPolicy, "labels");
    assert.equal(
      (await asOperator("PATCH", `${path}/mlflow/status`, { status: {} }, "application/merge-patch+json")).status,
      200,
    );
  });

  test("does not apply to other users", async () => {
    const args = ["--namespace", "kube-system", "create", "secret", "generic", "x", "--dry-run=server"];
    const { code, stderr } = await cluster.kubectl(args);
    assert.equal(code, 0, stderr);
  });

  test("the type check of the API server has no warnings for the policies", async () => {
    const { items } = await call<{ items: { metadata: { name: string }; status?: { typeChecking?: object } }[] }>(
      cluster,
      "GET",
      "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    );
    for (const { metadata, status } of items) assert.deepEqual(status?.typeChecking ?? {}, {}, metadata.name);
  });
});

describe("who can write MlflowServers and MlflowBackups with servers.admissionPolicies", {
  skip: unavailableReason,
}, () => {
  test("accepts only users who can create Pods and get Secrets", async () => {
    const cluster = await startControlPlane();
    try {
      const own = await installation(cluster);
      await own.run("install", chart, "--set", "servers.admissionPolicies=true");
      const namespace = await freshNamespace(cluster);
      const rule = (apiGroup: string, resource: string, verbs: readonly string[]) => ({
        apiGroups: [apiGroup],
        resources: [resource],
        verbs,
      });
      const writer = {
        ...rule("mlflow-operator.dev", "mlflowservers", ["*"]),
        resources: ["mlflowservers", "mlflowbackups", "mlflowbackupschedules"],
      };
      const pods = rule("", "pods", ["create"]);
      const secrets = rule("", "secrets", ["get"]);
      for (const [name, rules] of Object.entries({
        ann: [writer, pods, secrets],
        ben: [writer, pods],
        cem: [writer, secrets],
      })) {
        const path = `/apis/${rbacGroup}/v1/namespaces/${namespace}`;
        await call(cluster, "POST", `${path}/roles`, { metadata: { name }, rules });
        const subjects = [{ kind: "User", apiGroup: rbacGroup, name }];
        const roleRef = { apiGroup: rbacGroup, kind: "Role", name };
        await call(cluster, "POST", `${path}/rolebindings`, { metadata: { name }, roleRef, subjects });
      }
      const backup = {
        apiVersion: "mlflow-operator.dev/v1alpha1",
        kind: "MlflowBackup",
        metadata: { name: "nightly" },
        spec: {
          serverRef: { name: "tracking" },
          // The value of this key would be in the header of each request to this host.
          destination: {
            s3: {
              bucket: "backups",
              endpointURL: "https://s3.example.net",
              credentialsSecretRef: { name: "database", accessKeyIDKey: "password" },
            },
          },
        },
      };
      for (const [kind, body] of [
        ["MlflowServer", rightDocuments["smallest"]],
        ["MlflowBackup", backup],
      ] as const) {
        const path = `${resourcePath(kind, namespace)}?dryRun=All`;
        const applies = (user: string) =>
          cluster.request("POST", path, { headers: { "impersonate-user": user }, body });
        await eventually(async () => {
          assert.equal((await applies("ann")).status, 201);
          assert.match((await applies("ben")).body, /ben cannot get secrets in namespace .* by this Mlflow/);
          assert.match(
            (await applies("cem")).body,
            new RegExp(`cem cannot create pods in namespace .* by this ${kind}`),
          );
        });
      }
    } finally {
      await cluster.close();
    }
  });
});

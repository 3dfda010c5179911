import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { all, inputs, server } from "../support/fixtures.ts";

const s3 = { bucket: "models", credentialsSecretRef: { name: "s3" } };
const ldap = {
  url: "ldaps://ldap.example.com",
  userBind: "uid=%s,dc=example,dc=com",
  groups: { searchBase: "dc=x", filter: "(member=%s)", admin: "cn=a", user: "cn=u" },
};
const oidc = {
  discoveryURL: "https://id.example.com/.well-known/openid-configuration",
  clientID: "mlflow",
  clientSecretRef: { name: "oidc", key: "secret" },
  userGroup: "mlflow",
  adminGroup: "mlflow-admin",
};
const proxy = {
  issuerURL: "https://dex.example.com/dex",
  clientID: "mlflow",
  authorization: { allAuthenticatedUsers: {} },
};
const specs: Partial<MlflowServerSpec>[] = [
  { authentication: { none: {} } },
  { authentication: { basic: {} }, artifactStore: { s3 } },
  { authentication: { ldap } },
  { authentication: { oidc } },
  { authentication: { kubernetes: {} } },
  {
    authentication: {
      oauth2Proxy: { ...proxy, authorization: { kubernetes: { accessReview: "SubjectAccessReview" } } },
    },
  },
  { authentication: { oauth2Proxy: proxy }, exposure: { externalURL: "https://example.com/mlflow" } },
];

/** Returns the pod specs of all workloads of a server. */
function podsOf(spec: Partial<MlflowServerSpec>): V1PodSpec[] {
  return all(inputs(server({ ...spec, garbageCollection: { schedule: "@daily" } }))).flatMap((object) => {
    if (object.kind === "CronJob") return object.spec.jobTemplate.spec?.template.spec ?? [];
    return object.kind === "Deployment" || object.kind === "Job" ? (object.spec.template.spec ?? []) : [];
  });
}

describe("the programs that pods run", () => {
  test("are in no object that an editor of ConfigMaps or Secrets can change", () => {
    for (const spec of specs) {
      for (const object of all(inputs(server(spec)))) {
        if (object.kind !== "ConfigMap" && object.kind !== "Secret") continue;
        const texts = Object.values(object.data ?? {}).flatMap((text) => [
          text,
          Buffer.from(text, "base64").toString(),
        ]);
        assert.ok(!texts.some((text) => /^(import|from \w+ import|def) /m.test(text)), object.metadata.name);
      }
    }
  });

  test("are in a volume that only the init container of the same pod writes", () => {
    for (const pod of specs.flatMap(podsOf)) {
      for (const container of pod.containers) {
        const path = container.env?.find(({ name }) => name === "PYTHONPATH")?.value ?? "";
        if (path === "") continue;
        assert.equal(path, "/etc/mlflow/python");
        const [mount, ...others] = (container.volumeMounts ?? []).filter(({ mountPath }) => mountPath.startsWith(path));
        assert.deepEqual([mount?.readOnly, others], [true, []]);
        const volume = pod.volumes?.find(({ name }) => name === mount?.name);
        assert.notEqual(volume?.emptyDir, undefined);
        const writers = [...(pod.initContainers ?? []), ...pod.containers].filter(writes(mount?.name ?? ""));
        assert.deepEqual(
          writers.map(({ name }) => name),
          ["programs"],
        );
      }
    }
  });

  test("no container of MLflow's image runs a file that is mounted", () => {
    for (const pod of specs.flatMap(podsOf)) {
      for (const { command = [], name } of [...(pod.initContainers ?? []), ...pod.containers]) {
        if (command[0] !== "python") continue;
        assert.ok(command.includes("-c") || command.includes("-m"), name);
      }
    }
  });
});

const writes = (volume: string) => (container: V1Container) =>
  container.volumeMounts?.some(({ name, readOnly }) => name === volume && readOnly !== true) === true;

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { V1Container, V1PodSpec } from "@kubernetes/client-node";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { resolve } from "../../src/features/resolve.ts";
import { program, programInstallation } from "../../src/resources/pod/program.ts";
import { migrateProgram } from "../../src/resources/python-programs.ts";
import { completed } from "../control-plane/completed.ts";
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
  return all(inputs(server(spec))).flatMap((object) =>
    object.kind === "Deployment" || object.kind === "Job" ? (object.spec.template.spec ?? []) : [],
  );
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

  test("of one file run unchanged with their modules, without the variable that contains them", async () => {
    const modules = {
      first: "from dataclasses import dataclass\n@dataclass\nclass B:\n    b: str\n",
      second: 'from first import B\nb = B("b")\n',
    };
    const text =
      'import os\nfrom second import b\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    a: int\nprint(A(1), b, "é", len(os.environ.get("MLFLOW_OPERATOR_PROGRAM", "")), __name__)\n';
    const { command, variable } = program({ text, modules });
    const [python = "", ...args] = command;
    const env = { ...process.env, [variable.name]: variable.value ?? "" };
    const { stdout } = await completed(`${python}3`, args, { env });
    assert.equal(stdout, "A(a=1) B(b='b') é 0 __main__\n");
  });

  test("of one file report what they do not expect, with the place of it", async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "programs-"));
    context.after(() => rmSync(folder, { recursive: true }));
    const { command, variable } = program(migrateProgram);
    const [python = "", ...args] = command;
    const { code } = await completed(`${python}3`, args, {
      env: {
        ...process.env,
        [variable.name]: variable.value ?? "",
        TRACKING_DATABASE_URI: "postgresql://mlflow@127.0.0.1/mlflow",
        // Not a number; without SQLAlchemy, the program ends earlier.
        MIGRATION_LOAD_SECONDS: "soon",
        TERMINATION_LOG: join(folder, "log"),
      },
    });
    assert.equal(code, 1);
    const { reason, message } = JSON.parse(readFileSync(join(folder, "log"), "utf8"));
    assert.equal(reason, "MigrationFailed");
    assert.match(message, /^The migration program failed with (ModuleNotFound|Value)Error at <program>:[0-9]+\.$/);
  });

  test("of several files are written with their settings files", async (context) => {
    const folder = mkdtempSync(join(tmpdir(), "programs-"));
    context.after(() => rmSync(folder, { recursive: true }));
    const { container } = programInstallation(resolve(inputs()), {
      programs: { "a/b.py": "x = 1\n" },
      settings: { "a/c.json": '{"d": "$(HOME)"}' },
    });
    const [python = "", ...args] = [...(container.command ?? []), ...(container.args ?? [])];
    const here = args.map((each) => each.replace("/etc/mlflow/python", folder).replaceAll("$$(", "$("));
    const [variable] = container.env ?? [];
    await completed(`${python}3`, here, { env: { ...process.env, [variable?.name ?? ""]: variable?.value ?? "" } });
    assert.equal(readFileSync(join(folder, "a/b.py"), "utf8"), "x = 1\n");
    assert.equal(readFileSync(join(folder, "a/c.json"), "utf8"), '{"d": "$(HOME)"}');
  });
});

const writes = (volume: string) => (container: V1Container) =>
  container.volumeMounts?.some(({ name, readOnly }) => name === volume && readOnly !== true) === true;

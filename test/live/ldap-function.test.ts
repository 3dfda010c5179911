import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { objects } from "../support/objects.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { imageReference, liveCluster, oldestVersion, testedVersion } from "./live-cluster.ts";
import { waitUntil } from "./wait-until.ts";

const root = join(import.meta.dirname, "../..");
const folders = [
  "python/src",
  "python/src/mlflow_operator",
  "python/tests/ldap",
  "python/tests/middleware",
  "python/tests/migration",
  "test/cluster/images/slapd",
] as const;

// Importing MLflow creates objects that are never freed: collecting garbage among them takes a sixth of the time of a short program.
const runModule = `
import gc, sys, unittest
gc.set_threshold(100_000, 20, 20)
unittest.main(module=None, argv=["unittest", "--verbose", sys.argv[1]])
`;

/** Runs the Python tests of the LDAP function, the middleware, the SQLite migration, the check of the artifact store and the garbage collection in MLflow's image, with a real slapd. */
test("the Python programs standalone, and in a real MLflow", { timeout: 1_500_000 }, async (context) => {
  const cluster = await liveCluster();
  const [slapd, mlflow, oldest] = [
    await imageReference(cluster, "slapd"),
    await imageReference(cluster, `mlflow-server:${testedVersion}`),
    await imageReference(cluster, `mlflow-server:${oldestVersion}`),
  ];
  // Pod Security "restricted" does not allow image volumes.
  const namespace = await freshNamespace(cluster, { "pod-security.kubernetes.io/enforce": "baseline" });
  context.after(() => cluster.request("DELETE", `/api/v1/namespaces/${namespace}`));
  const own = objects(cluster, namespace);
  const { data, items } = await sources();
  await own.create("ConfigMap", { metadata: { name: "sources" }, data });
  await own.create("Pod", {
    metadata: { name: "tests" },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { runAsNonRoot: true, runAsUser: 1000 },
      volumes: [
        { name: "sources", configMap: { name: "sources", items } },
        { name: "mlflow", image: { reference: mlflow, pullPolicy: "IfNotPresent" } },
        { name: "oldest", image: { reference: oldest, pullPolicy: "IfNotPresent" } },
      ],
      containers: [
        {
          name: "tests",
          image: slapd,
          imagePullPolicy: "IfNotPresent",
          command: ["sleep", "infinity"],
          // Without a request it would get no CPU on a busy machine.
          resources: { requests: { cpu: "500m", memory: "512Mi" } },
          volumeMounts: [
            { name: "sources", mountPath: "/sources" },
            { name: "mlflow", mountPath: "/opt/mlflow", subPath: "opt/mlflow" },
            { name: "oldest", mountPath: "/opt/oldest", subPath: "opt/mlflow" },
          ],
        },
      ],
    },
  });
  await waitUntil(async () => assert.equal((await own.the("Pod", "tests")).status?.phase, "Running"), 300);

  const middlewareTests = [
    "test_access_reviews",
    "test_basic",
    "test_basic_grants",
    "test_basic_grants_lists",
    "test_grants",
    "test_guard",
    "test_late_imports",
    "test_locations",
    "test_preflights",
    "test_prefix",
    "test_request_metrics",
    "test_route_misses",
    "test_start",
    "test_token_identity",
    "test_url_builders",
    "test_users",
    "test_wsgi_threads",
  ];
  const newest = [
    "test_names",
    "test_cache",
    "test_directory",
    "test_server",
    ...middlewareTests,
    "test_sqlite",
    "test_check_artifacts",
    "test_collect_garbage",
    "test_collect_garbage_changes",
  ];
  // MLflow 3.16 evaluates permissions with other functions.
  for (const [module, place] of [
    ...newest.map((each) => [each, "mlflow"]),
    ["test_basic_grants", "oldest"],
    ["test_basic_grants_lists", "oldest"],
  ]) {
    await context.test(place === "oldest" ? `${module} in MLflow ${oldestVersion}` : `${module}`, async () => {
      const paths = ["python/src", "python/tests/ldap", "python/tests/middleware", "python/tests/migration"];
      const pythonPath = paths.map((each) => `/sources/${each}`).join(":");
      const env = [`PYTHONPATH=${pythonPath}`, `PATH=/opt/${place}/bin:/usr/sbin:/usr/bin:/bin`, "HOME=/tmp"];
      const python = ["env", "--chdir=/tmp", ...env, "python", "-B", "-W", "ignore"];
      const command = [...python, "-c", runModule, `${module}`];
      const { code, stdout, stderr } = await cluster.kubectl(["exec", "-n", namespace, "tests", "--", ...command]);
      const output = stdout + stderr;
      assert.equal(code, 0, output);
      assert.match(output, /^Ran [1-9][0-9]* tests? in /m);
      assert.doesNotMatch(output, /skipped/);
    });
  }
});

/** Returns the programs, their tests and the directory's content, by path. */
async function sources(): Promise<{ data: Record<string, string>; items: { key: string; path: string }[] }> {
  const data: Record<string, string> = {};
  const items: { key: string; path: string }[] = [];
  for (const folder of folders) {
    const names = (await readdir(join(root, folder))).filter((name) => /\.(py|conf|ldif|txt)$/.test(name));
    for (const name of names) {
      const key = `${folder}/${name}`.replaceAll("/", "--");
      data[key] = await readFile(join(root, folder, name), "utf8");
      items.push({ key, path: `${folder}/${name}` });
    }
  }
  return { data, items };
}

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";
import { scriptedApi } from "../support/scripted-api.ts";

describe("mlflow-operator status --watch", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    test(`ends with exit code 0 on ${signal}`, async (context) => {
      const servers = "/apis/mlflow-operator.dev/v1alpha1/namespaces/ml/mlflowservers";
      const server = {
        apiVersion: "mlflow-operator.dev/v1alpha1",
        kind: "MlflowServer",
        metadata: { name: "mlflow", namespace: "ml", generation: 1 },
        spec: { version: "3.17.2", replicas: 1 },
      };
      const api = await scriptedApi(context, {
        [`${servers}/mlflow`]: server,
        [servers]: [server],
        "/api/v1/namespaces/ml/pods": [],
        "/apis/batch/v1/namespaces/ml/jobs": [],
        "/apis/events.k8s.io/v1/namespaces/ml/events": 403,
      });
      const child = spawn(process.execPath, ["src/main.ts", "status", "mlflow", "--watch"], {
        env: { KUBECONFIG: api.kubeconfigPath },
        stdio: ["ignore", "pipe", "inherit"],
      });
      context.after(() => child.kill("SIGKILL"));
      let shown = "";
      for await (const text of child.stdout.setEncoding("utf8")) {
        shown += text;
        if (shown.includes("Not read")) break;
      }
      assert.match(shown, /^MlflowServer +ml\/mlflow\nState +Pending\n/);
      child.kill(signal);
      const [code] = child.exitCode === null ? await once(child, "exit") : [child.exitCode];
      assert.equal(code, 0);
    });
});

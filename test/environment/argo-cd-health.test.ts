import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { load } from "js-yaml";
import { LuaFactory } from "wasmoon";
import { reasons } from "../../src/api/reasons.ts";

const folder = join(import.meta.dirname, "../../config/argo-cd/resource_customizations/mlflow-operator.dev");
const read = (...path: string[]) => readFileSync(join(folder, ...path), "utf8");
const gitops = readFileSync(join(import.meta.dirname, "../../docs/gitops.md"), "utf8");
const factory = new LuaFactory();

interface HealthTest {
  readonly healthStatus: { readonly status: string; readonly message: string };
  readonly inputPath: string;
}

interface Fixture {
  readonly metadata: { readonly generation: number };
  readonly status?: { readonly conditions?: readonly { readonly reason: string; readonly message: string }[] };
}

/** Runs a health check as Argo CD does: the object is the global `obj`, and the script returns a table. */
async function health(script: string, object: unknown): Promise<unknown> {
  const engine = await factory.createEngine({ openStandardLibs: true });
  try {
    // As Lua tables, to which Argo CD converts the object: a missing field is nil.
    await engine.doString(`obj = ${luaOf(object)}`);
    return await engine.doString(script);
  } finally {
    engine.global.close();
  }
}

function luaOf(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (Array.isArray(value)) return `{${value.map(luaOf).join(",")}}`;
  if (typeof value === "object") {
    return `{${Object.entries(value)
      .map(([key, item]) => `[${JSON.stringify(key)}]=${luaOf(item)}`)
      .join(",")}}`;
  }
  return JSON.stringify(value);
}

describe("the health checks for Argo CD", () => {
  for (const kind of ["MlflowServer", "MlflowWorkspaceAccess", "MlflowBackup", "MlflowBackupSchedule"]) {
    const script = read(kind, "health.lua");
    const { tests } = load(read(kind, "health_test.yaml")) as { tests: HealthTest[] };

    for (const { inputPath, healthStatus } of tests) {
      test(`${kind} ${inputPath}: ${healthStatus.status}`, async () => {
        const object = load(read(kind, inputPath)) as Fixture;
        assert.deepEqual(await health(script, object), healthStatus);
        for (const { reason } of object.status?.conditions ?? []) assert.ok(reason in reasons, reason);
      });
    }

    test(`${kind}: every branch of the script is tested`, async () => {
      const statuses = [...script.matchAll(/"(Healthy|Suspended|Degraded|Progressing)"/g)].map(([, status]) => status);
      const tested = new Set(tests.map(({ healthStatus }) => healthStatus.status));
      assert.deepEqual([...new Set(statuses)].sort(), [...tested].sort());
      for (const line of script.split("\n").keys()) {
        const rest = script.split("\n").filter((_, index) => index !== line);
        const text = script.split("\n")[line] ?? "";
        if (!/health\.(status|message) =|return health$/.test(text) || text === "return health") continue;
        const results = await Promise.all(
          tests.map(async ({ inputPath, healthStatus }) => {
            const result = await health(rest.join("\n"), load(read(kind, inputPath))).catch(() => undefined);
            return JSON.stringify(result) !== JSON.stringify(healthStatus);
          }),
        );
        assert.ok(results.includes(true), `no test notices that line ${line + 1} is missing: ${text}`);
      }
    });

    test(`${kind}: docs/gitops.md shows the same script`, () => {
      const indented = script.trimEnd().replaceAll(/^/gm, "  ");
      assert.ok(gitops.includes(`resource.customizations.health.mlflow-operator.dev_${kind}: |\n${indented}\n`));
    });
  }
});

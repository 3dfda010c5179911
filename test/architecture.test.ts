import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { cruise, type IConfiguration, type IForbiddenRuleType } from "dependency-cruiser";
import { receivingFunctions } from "./support/receiving-functions.ts";

/** A folder of `src` imports from itself and from those to its left. ARCHITECTURE.md describes each of them. */
const order = ["kube", "api", "model", "features", "resources", "reconcile", "client", "runtime", "cli"];
const files = globSync("src/**/*.ts");

const rules: IConfiguration = {
  forbidden: [
    ...order.map(
      (folder, index): IForbiddenRuleType => ({
        name: `${folder}-imports-upwards`,
        from: { path: `^src/${folder}/` },
        to: { path: "^src/", pathNot: `^src/(${order.slice(0, index + 1).join("|")})/` },
      }),
    ),
    {
      name: "npm-in-pure-code",
      from: { path: "^src/(kube|model|features|resources|reconcile)/", pathNot: "^src/kube/client/" },
      to: { path: "node_modules/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "kubernetes-client-knows-mlflow",
      from: { path: "^src/kube/client/" },
      to: { path: "^src/", pathNot: "^src/kube/(client/|errors.ts|excerpt.ts|object.ts)" },
    },
    {
      name: "kubernetes-client-in-pure-code",
      from: { path: "^src/(kube|api|model|features|resources|reconcile)/", pathNot: "^src/kube/client/" },
      to: { path: "^src/kube/client/" },
    },
    {
      name: "file-cycle",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "folder-cycle",
      scope: "folder",
      from: {},
      to: { circular: true },
    },
  ],
};

describe("the import order", () => {
  test("a file imports from its own folder and those to its left only, in no cycle; pure code loads types alone from npm", async () => {
    // dependency-cruiser does not know the compiler of TypeScript 7.
    const { output } = await cruise(["src"], {
      ruleSet: rules,
      validate: true,
      parser: "swc",
      tsPreCompilationDeps: true,
      doNotFollow: { path: "node_modules" },
    });
    assert.ok(typeof output !== "string");
    const { summary, modules } = output;
    assert.deepEqual(
      summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`),
      [],
    );
    const cruised = modules.map(({ source }) => source).filter((source) => source.startsWith("src/"));
    assert.deepEqual(cruised.sort(), files.toSorted(), "every file was read");
  });

  test("only settings.ts reads the environment", () => {
    for (const file of files.filter((each) => each !== "src/settings.ts")) {
      assert.doesNotMatch(readFileSync(file, "utf8"), /process\.env/, file);
    }
  });

  test("builders know no clock and no randomness", () => {
    for (const file of files.filter((each) => /^src\/(model|features|resources)\//.test(each))) {
      assert.doesNotMatch(readFileSync(file, "utf8"), /new Date\(|Date\.now|Math\.random|randomBytes/, file);
    }
  });
});

test("no source file has fewer than 15 lines, except for indexes", () => {
  const lines = (file: string) => readFileSync(file, "utf8").trimEnd().split("\n").length;
  const short = files.filter((file) => !file.endsWith("/index.ts") && lines(file) < 15);
  assert.deepEqual(short, [], "merge it into the file that uses it");
});

test("ARCHITECTURE.md names files that exist", () => {
  const named = [...readFileSync("ARCHITECTURE.md", "utf8").matchAll(/`(?:src\/)?([a-z]+\/[a-z/-]+\.ts)`/g)];
  const missing = named.flatMap(([, name = ""]) => ([`src/${name}`, name].some(existsSync) ? [] : [name]));
  assert.ok(named.length > 20);
  assert.deepEqual(missing, []);
});

test("few functions pass the model on until it is a manifest", () => {
  // The functions through which a parameter of a server is passed. Before, a derived value was computed in each that needed it.
  const functions = receivingFunctions("src/resources/deployment.ts", "deployment");
  assert.ok(functions.length <= 35, functions.join("\n"));
  assert.ok(functions.includes("src/resources/pod/environment.ts#environment"));
});

test("the namespace of a custom resource has its default where it is read", () => {
  // The writer reads the namespace of a Deployment, which its type does not require.
  const allowed = ["src/api/validation.ts", "src/client/object-writer.ts"];
  const using = files.filter((file) => /\bnamespace( \?\?| =) "default"/.test(readFileSync(file, "utf8")));
  assert.deepEqual(using.sort(), allowed.sort(), "MlflowServer and MlflowWorkspaceAccess always have a namespace");
});

test("no wait and no deadline uses the clock that can be set", () => {
  // A deadline that both clocks must keep, and the date in a header.
  const allowed = ["src/kube/client/fence.ts", "src/kube/client/failure.ts"];
  const using = files.filter((file) => /\bDate\.now\b/.test(readFileSync(file, "utf8")));
  assert.deepEqual(using.sort(), allowed.sort(), "use performance.now()");
});

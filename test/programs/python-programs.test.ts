import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { resolve } from "../../src/features/resolve.ts";
import { program, programInstallation } from "../../src/resources/pod/program.ts";
import { migrateProgram } from "../../src/resources/python-programs.ts";
import { completed } from "../control-plane/completed.ts";
import { inputs } from "../support/fixtures.ts";

describe("programs in a pod template", () => {
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

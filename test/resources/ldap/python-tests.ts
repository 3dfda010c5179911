import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const variable = "MLFLOW_OPERATOR_TEST_PYTHON";
const source = join(import.meta.dirname, "../../../src/resources/ldap");

/**
 * Runs Python's tests of the function for LDAP, in the Python that the environment names. It needs what MLflow's image has
 * (images/mlflow-server/requirements-3.17.2.lock), and Debian's package slapd.
 */
export function pythonTests(title: string, modules: readonly string[]): void {
  const python = process.env[variable];
  test(title, { skip: lacking(python) }, async (context) => {
    const args = ["-B", "-W", "ignore", "-m", "unittest", "--verbose", ...modules];
    const env = { ...process.env, PYTHONPATH: [source, import.meta.dirname].join(":") };
    const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
      const child = execFile(python ?? "", args, { env, signal: context.signal }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : (child.exitCode ?? 1), output: stdout + stderr }),
      );
    });
    assert.equal(code, 0, output);
    assert.match(output, /^Ran [1-9][0-9]* tests? in /m);
    assert.doesNotMatch(output, /skipped/);
  });
}

function lacking(python: string | undefined): string | false {
  if (python === undefined) return `${variable} names no Python that has MLflow`;
  return existsSync("/usr/sbin/slapd") ? false : "no slapd";
}

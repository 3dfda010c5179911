import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { resolve } from "../../src/features/resolve.ts";
import type { Deployment } from "../../src/kube/manifests.ts";
import { annotation } from "../../src/kube/names.ts";
import { changeOf } from "../../src/reconcile/upgrade-plan.ts";
import { migrationJob } from "../../src/resources/migration-job.ts";
import { listenerDeployment } from "../../src/resources/traces/deployment.ts";
import { deploymentOf, inputs, server } from "../support/fixtures.ts";

const restarted = (value?: string) => {
  const of = server({ pod: { annotations: { team: "a" } } });
  const annotations: Record<string, string> = value === undefined ? {} : { [annotation.restart]: value };
  return inputs({ ...of, metadata: { ...of.metadata, annotations } });
};
const templateOf = ({ spec }: Deployment) => spec.template.metadata?.annotations ?? {};

describe("the annotation restart", () => {
  test("is an annotation of the pods of MLflow and of the listener for traces, next to the others", () => {
    for (const each of [deploymentOf(restarted("1")), listenerDeployment(resolve(restarted("1")))]) {
      assert.equal(templateOf(each)[annotation.restart], "1");
      assert.equal(templateOf(each)["team"], "a");
    }
    assert.ok(!(annotation.restart in templateOf(deploymentOf(restarted()))));
  });

  test("does not run the migration again", () => {
    assert.deepEqual(migrationJob(resolve(restarted("1"))), migrationJob(resolve(restarted())));
  });

  test("is a change by a user, which does not wait for an upgrade of the operator", () => {
    const [first, second] = [deploymentOf(restarted("1")), deploymentOf(restarted("2"))];
    assert.equal(
      changeOf(second, first, () => true),
      "user",
    );
    assert.equal(
      changeOf(first, first, () => true),
      "none",
    );
  });
});

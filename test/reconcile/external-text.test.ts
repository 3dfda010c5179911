import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { failureOfStatus } from "../../src/kube/client/failure.ts";
import { conditionsOf } from "../../src/kube/conditions.ts";
import { excerpt, excerptWithoutStop } from "../../src/kube/excerpt.ts";
import type { Deployment, HTTPRoute, Owned, Pod } from "../../src/kube/manifests.ts";
import { parentProblem } from "../../src/reconcile/exposure.ts";
import { podFailure, reportedFailure } from "../../src/reconcile/pod-failure.ts";
import { conditionText } from "../../src/reconcile/reported-condition.ts";
import { rolloutOf } from "../../src/reconcile/rollout.ts";
import { deploymentOf, inputs, pod } from "../support/fixtures.ts";

const megabyte = 2 ** 20;

/** Texts for which backtracking expressions take longest. */
const hostile = [
  ".".repeat(megabyte),
  `${".".repeat(megabyte)}x`,
  `${" ".repeat(megabyte)}x`,
  `${". ".repeat(megabyte / 2)}x`,
  `${"?".repeat(megabyte)}\n`,
  `${"\n".repeat(megabyte)}x`,
  `{${'"a":{'.repeat(megabyte / 5)}`,
  `x${"\u0000".repeat(megabyte)}`,
  "é".repeat(megabyte),
  "\ud800".repeat(megabyte),
];

const container = (message: string) => ({ name: "mlflow", image: message, imageID: "", ready: false, restartCount: 2 });
const waiting = (reason: string, message: string): Pod =>
  pod("server", { containerStatuses: [{ ...container(message), state: { waiting: { reason, message } } }] });
const conditions = (type: string, message: string) => [
  { type, status: "False", reason: message, message, observedGeneration: 9 },
];

/** Every function that reads text of a status or an error, with its result. */
const readers: Readonly<Record<string, (message: string) => string | undefined>> = {
  "an image that cannot be pulled": (message) => podFailure([waiting("ErrImagePull", message)])?.message,
  "a container that cannot be created": (message) => podFailure([waiting("CreateContainerError", message)])?.message,
  "the end of a container": (message) =>
    podFailure([
      pod("migration", {
        containerStatuses: [{ ...container(message), state: { terminated: { exitCode: 1, message } } }],
      }),
    ])?.message,
  "a termination message": (message) => reportedFailure(`{"reason":"MigrationFailed","message":"${message}"}`)?.message,
  "a pod without a node": (message) =>
    podFailure([
      pod("server", {
        conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }],
      }),
    ])?.message,
  "a Deployment": (message) =>
    rolloutOf(
      {
        ...deploymentOf(inputs()),
        status: { conditions: [{ type: "ReplicaFailure", status: "True", message, reason: message }] },
      } satisfies Deployment,
      [] satisfies Owned[],
      { now: new Date(0) },
    ).cause?.message,
  "a Gateway or a policy": (message) => conditionText({ reason: message, message }),
  "an HTTPRoute": (message) => {
    const parentRefs = [{ name: "gateway" }];
    const route: HTTPRoute = {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "demo", namespace: "team-a", generation: 1 },
      spec: { parentRefs, hostnames: [], rules: [] },
      status: { parents: [{ parentRef: { name: "gateway" }, conditions: conditions("Accepted", message) }] },
    };
    return parentProblem(route)?.message;
  },
  "an answer of the API server": (message) => failureOfStatus({ code: 422, reason: message, message }).detail,
  "a condition that is reported": (message) =>
    conditionsOf([{ type: "Ready", status: "False", reason: "Ready", message }], [], 1, new Date(0))[0]?.message,
};

describe("text of another program", () => {
  for (const [what, read] of Object.entries(readers)) {
    test(`in ${what} is truncated before it is processed`, () => {
      for (const text of hostile) {
        const before = process.cpuUsage();
        const message = read(text) ?? "";
        const { user } = process.cpuUsage(before);
        assert.ok(message.length < 2100, `${message.length} characters of ${JSON.stringify(text.slice(0, 10))}`);
        // Parsing a megabyte takes about 10 ms; a quadratic expression takes an hour.
        assert.ok(user < 500_000, `${user / 1000} ms for ${JSON.stringify(text.slice(0, 10))}`);
      }
    });
  }

  test("is unchanged if it is short, on one line and without control characters", () => {
    assert.equal(excerpt("no such image: a/b:c"), "no such image: a/b:c");
    assert.equal(excerpt("two\n lines\u0000"), "two lines");
    assert.equal(excerptWithoutStop("cannot pull ... "), "cannot pull");
    assert.equal(excerpt("x".repeat(301)), `${"x".repeat(300)}…`);
    assert.equal(excerpt(undefined), "");
    assert.equal(excerpt({ an: "object" }), "");
  });
});

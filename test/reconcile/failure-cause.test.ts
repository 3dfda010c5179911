import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../src/kube/errors.ts";
import { failureCause, notFailing } from "../../src/reconcile/failure-cause.ts";

const path = "/apis/apps/v1/namespaces/team-a/deployments/demo";
const failure = (status: number, reason = "Reason") => new ApiError("PATCH", path, { status, reason, detail: "why" });
const lasting = { attempts: 4, seconds: 20 };

describe("the cause of a failed reconciliation", () => {
  for (const status of [400, 403, 405, 413, 422])
    test(`is reported immediately with ${status}`, () =>
      assert.equal(failureCause(failure(status), notFailing)?.reason, "ApplyRejected"));

  for (const status of [0, 401, 404, 408, 409, 410, 418, 429, 500, 501, 502, 503, 504, 599])
    test(`is reported with ${status} if the failure persists, with the object and the code`, () => {
      const error = failure(status);
      assert.equal(failureCause(error, notFailing), undefined);
      assert.equal(failureCause(error, { attempts: 3, seconds: 100 }), undefined);
      assert.equal(failureCause(error, { attempts: 100, seconds: 19 }), undefined);
      const cause = failureCause(error, lasting);
      assert.equal(cause?.reason, "ReconcileFailed");
      assert.ok(
        cause?.message.includes(`PATCH ${path}: ${status === 0 ? "" : `${status} `}Reason: why`),
        cause?.message,
      );
    });

  test("does not contain the error message unless it is from the API server", () => {
    const cause = failureCause(new TypeError("hunter2"), lasting);
    assert.match(cause?.message ?? "", /error within the operator \(TypeError\)/);
    assert.doesNotMatch(cause?.message ?? "", /hunter2/);
  });

  test("is not reported by a process that has lost the Lease", () => {
    assert.equal(failureCause(failure(0, "LeaseExpired"), lasting), undefined);
  });
});

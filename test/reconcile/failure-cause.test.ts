import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ApiError } from "../../src/kube/api-error.ts";
import { failureCause, notFailing } from "../../src/reconcile/failure-cause.ts";

const path = "/apis/apps/v1/namespaces/team-a/deployments/demo";
const failure = (status: number, reason = "Reason") => new ApiError("PATCH", path, { status, reason, detail: "why" });
const lasting = { attempts: 4, seconds: 20 };

describe("why a pass failed", () => {
  for (const status of [400, 403, 405, 413, 422])
    test(`is reported at once with ${status}`, () =>
      assert.equal(failureCause(failure(status), notFailing)?.reason, "ApplyRejected"));

  for (const status of [0, 401, 404, 408, 409, 410, 418, 429, 500, 501, 502, 503, 504, 599])
    test(`is reported with ${status} when it lasts, with the object and the code`, () => {
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

  test("is reported without what it says where it is no answer of the API server", () => {
    const cause = failureCause(new TypeError("hunter2"), lasting);
    assert.match(cause?.message ?? "", /error within the operator \(TypeError\)/);
    assert.doesNotMatch(cause?.message ?? "", /hunter2/);
  });

  test("is the leader's business where this process has lost the Lease", () => {
    assert.equal(failureCause(failure(0, "LeaseExpired"), lasting), undefined);
  });
});

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import type { Kind } from "../../src/kube/kinds.ts";
import { unconfirmedKind } from "../../src/reconcile/unconfirmed-kind.ts";
import { server } from "../support/fixtures.ts";

function using(spec: Partial<MlflowServer["spec"]>, type: string, reason: string): MlflowServer {
  const of = server(spec);
  const condition = {
    type,
    status: "True" as const,
    reason,
    message: "",
    observedGeneration: 1,
    lastTransitionTime: "",
  };
  return { ...of, status: { conditions: [condition] } } as MlflowServer;
}

const ambient = { mesh: { istio: { mode: "Ambient" } } } as Partial<MlflowServer["spec"]>;
const sidecar = { mesh: { istio: { mode: "Sidecar" } } } as Partial<MlflowServer["spec"]>;
const route = { exposure: { httpRoute: {} } } as Partial<MlflowServer["spec"]>;
const without = (...kinds: Kind[]) => ({ knows: (kind: Kind) => (kinds.includes(kind) ? undefined : true) });

describe("one answer that a kind does not exist stops the reconciliation of a server", () => {
  test("that has used it", () => {
    assert.equal(unconfirmedKind(without("Gateway"), using(ambient, "MeshReady", "MeshEnforced")), "Gateway");
    const policy = "AuthorizationPolicy";
    assert.equal(unconfirmedKind(without(policy), using(sidecar, "MeshReady", "PodsNotEnrolled")), policy);
    assert.equal(unconfirmedKind(without("HTTPRoute"), using(route, "Exposed", "Exposed")), "HTTPRoute");
  });

  test("but not of one that has not used it, does not need it, or has reported it before", () => {
    assert.equal(unconfirmedKind(without("Gateway"), server(ambient)), undefined);
    assert.equal(unconfirmedKind(without("Gateway"), using(sidecar, "MeshReady", "MeshEnforced")), undefined);
    assert.equal(unconfirmedKind(without("Gateway"), using(ambient, "MeshReady", "IstioMissing")), undefined);
    assert.equal(unconfirmedKind(without("HTTPRoute"), using(route, "Exposed", "GatewayApiMissing")), undefined);
    assert.equal(unconfirmedKind(without("HTTPRoute"), using(ambient, "MeshReady", "MeshEnforced")), undefined);
  });

  test("until it is confirmed", () => {
    const used = using(ambient, "MeshReady", "MeshEnforced");
    assert.equal(unconfirmedKind({ knows: () => false }, used), undefined);
    assert.equal(unconfirmedKind({ knows: () => true }, used), undefined);
  });
});

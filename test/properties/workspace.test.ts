import assert from "node:assert/strict";
import { test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import type { MlflowServerSpec } from "../../src/api/spec.ts";
import { validate, validateAccess } from "../../src/api/validation.ts";
import type { MlflowWorkspaceAccess } from "../../src/api/workspace-access.ts";
import type { Namespace } from "../../src/kube/manifests.ts";
import { finalizer, label } from "../../src/kube/names.ts";
import { allows, type WorkspaceRole, workspaceRoleNames, workspaceRules } from "../../src/kube/workspace-roles.ts";
import type { WorkspaceObject } from "../../src/reconcile/workspace/workspace-cluster.ts";
import { type WorkspaceStep, workspacePlan } from "../../src/reconcile/workspace/workspace-plan.ts";
import { all, inputs } from "../support/fixtures.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { access, tracking } from "../support/workspaces.ts";

const worlds = 3000;
const places = ["mlflow", "platform", "team-a", "team-b", "team-c", "kube-system"];
const people = ["ada", "bob", "eve"];
const now = new Date("2026-06-01T00:00:00Z");

interface Author {
  /** Roles that the author may bind, by namespace; `*` is all. */
  readonly mayBind: ReadonlySet<string>;
}

interface World {
  readonly namespaces: readonly Namespace[];
  readonly servers: readonly MlflowServer[];
  readonly accesses: readonly MlflowWorkspaceAccess[];
  /** `role namespace subject` for all grants of permitted users. */
  readonly meant: ReadonlySet<string>;
}

function world(seed: number): World {
  const next = seededRandom(seed);
  const chance = (share: number) => next() < share;
  const pick = <T>(items: readonly T[]): T => {
    const item = items[Math.floor(next() * items.length)];
    assert.ok(item !== undefined);
    return item;
  };
  const some = <T>(items: readonly T[]) => items.filter(() => chance(0.5));
  const namespaces = places.map((name): Namespace => {
    const labels = {
      ...(chance(0.6) && { [label.workspaceOf]: pick(places) }),
      ...(chance(0.5) && { tier: pick(["x", "y"]) }),
    };
    const metadata = { name, labels, ...(chance(0.1) && { deletionTimestamp: "2026-05-01T00:00:00Z" }) };
    return { apiVersion: "v1", kind: "Namespace", metadata };
  });
  const author = (): Author => ({
    mayBind: new Set(workspaceRoleNames.flatMap((role) => some([...places, "*"]).map((place) => `${role} ${place}`))),
  });
  const meant = new Set<string>();
  const subjects = () => [{ kind: "User" as const, name: pick(people) }];

  const servers = Array.from({ length: 1 + Math.floor(next() * 3) }, (_, index): MlflowServer[] => {
    const who = author();
    // By the admission policy, a user who can bind a role in all namespaces can grant it by a server.
    const grants = Array.from({ length: Math.floor(next() * 4) }, () => ({
      role: pick(workspaceRoleNames),
      subjects: subjects(),
      ...(chance(0.5)
        ? { namespaces: [pick(places)] }
        : { selector: chance(0.5) ? {} : { matchLabels: { tier: "x" } } }),
    })).filter(({ role }) => who.mayBind.has(`${role} *`));
    const workspaces: MlflowServerSpec["workspaces"] = {
      access: grants,
      ...(chance(0.3) && { selector: { matchLabels: { tier: "x" } } }),
      ...(chance(0.2) && { clientConfigMaps: false }),
    };
    const server = tracking(workspaces, `server-${index}`);
    const held = chance(0.9) ? { finalizers: [finalizer] } : { finalizers: [] };
    server.metadata = {
      ...server.metadata,
      ...held,
      namespace: pick(places),
      creationTimestamp: `2026-01-0${1 + Math.floor(next() * 9)}T00:00:00Z`,
      ...(chance(0.1) && { deletionTimestamp: "2026-05-01T00:00:00Z" }),
    };
    for (const { role, subjects: given } of grants)
      for (const place of places) for (const { name } of given) meant.add(`${role} ${place} ${name}`);
    return [server];
  }).flat();

  const accesses = Array.from({ length: Math.floor(next() * 4) }, (_, index): MlflowWorkspaceAccess[] => {
    const who = author();
    const namespace = pick(places);
    const role = pick(workspaceRoleNames);
    if (!who.mayBind.has(`${role} ${namespace}`) && !who.mayBind.has(`${role} *`)) return [];
    const server = pick(servers);
    const serverRef = { namespace: server.metadata.namespace ?? "", name: server.metadata.name };
    const expiresAt = chance(0.3) ? { expiresAt: pick(["2026-05-31T00:00:00Z", "2026-07-01T00:00:00Z"]) } : {};
    const one = access({ serverRef, role, subjects: subjects(), ...expiresAt }, `access-${index}`);
    one.metadata.namespace = namespace;
    if (expiresAt.expiresAt !== "2026-05-31T00:00:00Z")
      for (const { name } of one.spec.subjects) meant.add(`${role} ${namespace} ${name}`);
    return [one];
  }).flat();
  return { namespaces, servers, accesses, meant };
}

/** The writes of a reconciliation of each namespace, with `granted` as existing objects. */
function steps({ namespaces, servers, accesses }: World, granted: readonly WorkspaceObject[]) {
  return namespaces.map((namespace) => {
    const { name, labels = {} } = namespace.metadata;
    const host = labels[label.workspaceOf];
    const plan = workspacePlan({
      namespace: host === undefined ? undefined : namespace,
      servers,
      accesses: accesses.filter(({ metadata }) => metadata.namespace === name),
      granted: granted.filter(({ metadata }) => metadata.namespace === name),
      isMutatedByAdmission: () => false,
      now,
    });
    return { namespace, steps: plan.steps };
  });
}

const written = (all: readonly WorkspaceStep[]) => all.flatMap((step) => (step.do === "delete" ? [] : [step.manifest]));

test(`in ${worlds} random clusters every write is in an allowed place`, () => {
  let count = 0;
  for (let seed = 1; seed <= worlds; seed += 1) {
    const now = world(seed);
    const before = steps(world(seed + worlds), []).flatMap((each) => written(each.steps));
    for (const { namespace, steps: planned } of steps(now, before)) {
      const { name, labels = {}, deletionTimestamp } = namespace.metadata;
      for (const step of planned) {
        count += 1;
        if (step.do === "delete") {
          assert.ok(before.includes(step.live), `seed ${seed}: a deletion of an unmanaged object`);
          continue;
        }
        const { metadata } = step.manifest;
        assert.equal(deletionTimestamp, undefined, `seed ${seed}: a write in a terminating namespace`);
        assert.equal(metadata.namespace, name);
        assert.equal(metadata.labels?.[label.serverNamespace], labels[label.workspaceOf], `seed ${seed}: no opt-in`);
        assert.notEqual(name, "kube-system");
      }
    }
    // Objects outside the namespace of the server take longer to render, and depend on less.
    for (const server of seed % 20 === 0 ? now.servers : []) {
      const { namespace = "", name } = server.metadata;
      const workspaces = now.namespaces.map(({ metadata }) => metadata.name);
      for (const { kind, metadata } of all({ ...inputs(server), workspaces })) {
        const isBinding = kind === "ClusterRoleBinding" && metadata.name === `${namespace}.${name}`;
        assert.ok(metadata.namespace === namespace || isBinding, `seed ${seed}: ${kind}/${metadata.name}`);
      }
    }
  }
  assert.ok(count > worlds, `${count} writes in all`);
});

test(`in ${worlds} random clusters no subject gets a verb that no user could have granted`, () => {
  let count = 0;
  for (let seed = 1; seed <= worlds; seed += 1) {
    const { meant, ...rest } = world(seed);
    for (const { steps: planned } of steps({ meant, ...rest }, []))
      for (const object of written(planned)) {
        if (object.kind !== "RoleBinding") continue;
        const place = object.metadata.namespace ?? "";
        const role = roleOf(object.roleRef.name);
        for (const { name } of object.subjects ?? [])
          for (const { resources, verbs } of workspaceRules[role])
            for (const resource of resources)
              for (const verb of verbs) {
                count += 1;
                const isMeant = workspaceRoleNames.some(
                  (granted) => meant.has(`${granted} ${place} ${name}`) && allows(granted, verb, resource),
                );
                assert.ok(isMeant, `seed ${seed}: ${name} may ${verb} ${resource} in ${place}`);
              }
      }
  }
  assert.ok(count > worlds, `${count} verbs in all`);
});

test("the random objects are admitted by the schema", () => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const { servers, accesses } = world(seed);
    for (const server of servers) assert.ok("server" in validate(server), JSON.stringify(validate(server)));
    for (const one of accesses) assert.ok("access" in validateAccess(one), JSON.stringify(validateAccess(one)));
  }
});

function roleOf(clusterRole: string): WorkspaceRole {
  const found = workspaceRoleNames.find((role) =>
    clusterRole.endsWith(role === "TraceWriter" ? "trace-writer" : role.toLowerCase()),
  );
  assert.ok(found !== undefined, clusterRole);
  return found;
}

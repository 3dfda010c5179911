import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decideUpgrade, hasFailed, isActive, type UpgradeMember } from "../../src/reconcile/upgrade.ts";
import { markerIn, markerText, type UpgradeMarker } from "../../src/reconcile/upgrade-marker.ts";
import { seededRandom } from "../support/seeded-random.ts";

const revision = "new";
const now = new Date("2026-06-01T12:00:00Z");
const secondsAgo = (seconds: number) => new Date(now.getTime() - seconds * 1000).toISOString();
const upgrade = (concurrency = 2) => ({ revision, concurrency });
const booleans = [true, false];

/** All members that differ in what a decideUpgrade can depend on. */
function* states(): Generator<Omit<UpgradeMember, "namespace" | "name">> {
  const markers: (UpgradeMarker | undefined)[] = [undefined];
  for (const by of [revision, "old"])
    for (const phase of ["Started", "Applied"] as const)
      for (const wasReady of booleans)
        for (const age of [5, 7200]) markers.push({ revision: by, phase, wasReady, startTime: secondsAgo(age) });
  for (const marker of markers)
    for (const isComplete of booleans)
      for (const isStalled of booleans)
        for (const isCanary of isComplete && !isStalled ? booleans : [false])
          for (const waitingSince of [undefined, secondsAgo(60)])
            yield { marker, isComplete, isCanary, isStalled, waitingSince, isStarting: false };
}

const named = (name: string, state: Omit<UpgradeMember, "namespace" | "name">): UpgradeMember => ({
  namespace: "team",
  name,
  ...state,
});
const all = [...states()];
const waiting = (state: Partial<UpgradeMember> = {}) =>
  named("waiting", {
    isComplete: true,
    isCanary: true,
    isStalled: false,
    isStarting: false,
    waitingSince: secondsAgo(60),
    ...state,
  });
const isDone = ({ marker, isComplete }: UpgradeMember) => marker?.phase === "Applied" && isComplete;

describe("the turn of a server in an upgrade of the operator", () => {
  test("comes only while fewer than the limit are being changed and none has failed, in any state of the others", () => {
    let allowed = 0;
    for (const a of all)
      for (const b of all) {
        const members = [named("a", a), named("b", b), waiting()];
        const others = members.slice(0, 2);
        const turn = decideUpgrade({ namespace: "team", name: "waiting" }, members, upgrade(), now);
        const hasFailure = others.some((each) => hasFailed(each, revision));
        const active = others.filter((each) => isActive(each, revision, now)).length;
        const hasSucceeded = others.some((each) => each.marker?.revision === revision && isDone(each));
        const expected = !hasFailure && active < (hasSucceeded ? 2 : 1);
        if (turn.mayStart !== expected) assert.deepEqual([turn, a, b], expected);
        if (!turn.mayStart) assert.equal(turn.cause.reason, hasFailure ? "UpgradeStopped" : "UpgradeWaiting");
        allowed += Number(expected);
      }
    assert.ok(allowed > 100, "both happen");
  });

  test("comes to some server in any state of all, unless one is being changed or has failed", () => {
    for (const a of all)
      for (const b of all) {
        const members = [named("a", a), named("b", b)];
        const pending = members.filter(({ waitingSince }) => waitingSince !== undefined);
        if (pending.length === 0 || members.some((each) => isActive(each, revision, now) || hasFailed(each, revision)))
          continue;
        const later = new Date(now.getTime() + 30_000);
        const isStuck = pending.every((each) => !decideUpgrade(each, members, upgrade(), later).mayStart);
        if (isStuck) assert.fail(JSON.stringify(members));
      }
  });

  test("is not put off permanently by a server that was not ready before the upgrade, or that a previous one has changed", () => {
    for (const state of all) {
      const member = named("a", state);
      const { marker } = member;
      if (marker === undefined || (marker.revision === revision && marker.wasReady)) continue;
      const later = new Date(now.getTime() + 7_200_000);
      assert.equal(isActive(member, revision, later), false, JSON.stringify(member));
      assert.equal(hasFailed(member, revision), false, JSON.stringify(member));
    }
  });

  test("comes first to a server that can show whether the change works", () => {
    const hibernated = { ...waiting(), name: "hibernated", isCanary: false };
    const broken = { ...waiting(), name: "broken", isCanary: false, isComplete: false, isStalled: true };
    const members = [hibernated, broken, waiting()];
    const turns = (those: readonly UpgradeMember[]) =>
      those.filter((each) => decideUpgrade(each, those, upgrade(), now).mayStart).map(({ name }) => name);
    assert.deepEqual(turns(members), ["waiting"]);
    assert.deepEqual(turns([broken]), ["broken"], "where there is no other");
    assert.deepEqual(turns([{ ...broken, waitingSince: secondsAgo(1) }]), [], "others may not have reported yet");
  });

  test("counts a start that has not been answered", () => {
    const starting = { ...waiting(), name: "starting", isStarting: true };
    assert.equal(decideUpgrade(waiting(), [starting, waiting()], upgrade(), now).mayStart, false);
  });

  test("names the server that failed, and the ways out", () => {
    const marker = { revision, phase: "Applied", startTime: secondsAgo(5), wasReady: true } as const;
    const failed = named("a", { marker, isComplete: false, isCanary: false, isStalled: true, isStarting: false });
    const turn = decideUpgrade(waiting(), [failed, waiting()], upgrade(), now);
    assert.ok(!turn.mayStart);
    assert.match(turn.cause.message, /MlflowServer a in namespace team/);
    assert.match(turn.cause.message, /kubectl annotate mlflowserver a -n team mlflow-operator.dev\/paused=true/);
    const elsewhere = { ...failed, namespace: "other-team", name: "a-secret-name" };
    const message = (...members: UpgradeMember[]) => {
      const stopped = decideUpgrade(waiting(), [...members, waiting()], upgrade(), now);
      return stopped.mayStart ? assert.fail() : stopped.cause.message;
    };
    assert.doesNotMatch(message(elsewhere), /other-team|a-secret-name/, "users of other namespaces could read it");
    assert.match(message(elsewhere), /an MlflowServer in another namespace/);
    assert.equal(message(elsewhere, failed), turn.cause.message);
    assert.equal(decideUpgrade(waiting(), [waiting()], upgrade(), now).mayStart, true, "it is deleted");
    assert.equal(
      decideUpgrade(waiting(), [{ ...failed, isStalled: false, isComplete: true }, waiting()], upgrade(), now).mayStart,
      true,
    );
  });

  test("keeps to the limit and reaches every server in any order of events", () => {
    for (let seed = 1; seed <= 50; seed++) simulate(seed);
  });
});

/** Servers that become ready, or fail and are repaired, in random order; the operator is replaced on the way. */
function simulate(seed: number): void {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const concurrency = 1 + below(3);
  let members = Array.from({ length: 8 }, (_, index): UpgradeMember => {
    const isComplete = below(5) > 0;
    const state = { isComplete, isCanary: isComplete, isStalled: !isComplete, isStarting: false };
    return named(`server-${index}`, { ...state, waitingSince: secondsAgo(60) });
  });
  let time = now.getTime();
  let current = revision;
  const started = new Set<string>();
  const isUpdated = ({ marker }: UpgradeMember) => marker?.revision === current;
  for (let step = 0; step < 2000; step++) {
    time += 5000;
    const at = below(members.length);
    const member = members[at];
    if (member === undefined) continue;
    if (step === 40 && below(2) === 0) {
      current = "newer";
      started.clear();
      members = members.map((each) => ({ ...each, waitingSince: new Date(time).toISOString() }));
    }
    const changed = next(member);
    members = members.map((each, index) => (index === at ? changed : each));
    const active = members.filter((each) => isActive(each, current, new Date(time))).length;
    assert.ok(active <= concurrency, `seed ${seed}: ${active} of ${concurrency}`);
    const isFirst = !members.some((each) => isUpdated(each) && isDone(each));
    // A change that the previous operator has started continues, at the same time as the first change of this one.
    const own = members.filter(({ name }) => started.has(name));
    if (isFirst) assert.ok(own.filter((each) => isActive(each, current, new Date(time))).length <= 1, `seed ${seed}`);
    if (members.every((each) => isUpdated(each) && each.waitingSince === undefined)) return;
  }
  assert.fail(`seed ${seed}: not all servers were changed: ${JSON.stringify(members)}`);

  function next(member: UpgradeMember): UpgradeMember {
    const { marker, isStalled } = member;
    if (marker?.revision === current || marker?.phase === "Started") {
      if (marker.phase === "Started") {
        const applied = { ...marker, revision: current, phase: "Applied" as const };
        return { ...member, marker: applied, isComplete: false, isCanary: false, waitingSince: undefined };
      }
      if (member.isComplete) return member;
      // At random, a server needs a repair by an administrator.
      if (!isStalled && below(4) === 0) return { ...member, isStalled: true };
      return { ...member, isStalled: false, isComplete: true, isCanary: true };
    }
    const turn = decideUpgrade(member, members, { revision: current, concurrency }, new Date(time));
    if (!turn.mayStart) return member;
    started.add(member.name);
    const startTime = new Date(time).toISOString();
    const marked = { revision: current, phase: "Started" as const, startTime, wasReady: member.isCanary };
    return { ...member, marker: marked, waitingSince: undefined };
  }
}

test("the marker is read as it was written, and everything else is no marker", () => {
  const marker: UpgradeMarker = { revision, phase: "Applied", startTime: secondsAgo(0), wasReady: false };
  const of = (text: string) =>
    markerIn({ metadata: { name: "a", annotations: { "mlflow-operator.dev/upgrade": text } } });
  assert.deepEqual(of(markerText(marker)), marker);
  for (const text of ["", "a", "a b c d", "a Applied never Ready", `${markerText(marker)} more`])
    assert.equal(of(text), undefined, text);
  assert.equal(markerIn({ metadata: { name: "a" } }), undefined);
});

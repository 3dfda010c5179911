import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { resolve } from "../../src/features/resolve.ts";
import type { Owned, Secret } from "../../src/kube/manifests.ts";
import { annotation } from "../../src/kube/names.ts";
import type { Inputs } from "../../src/model/inputs.ts";
import { rotationsIn, rotationsText } from "../../src/model/rotation.ts";
import { rotationPending } from "../../src/reconcile/conditions/pending.ts";
import { overlapSeconds } from "../../src/reconcile/rotation/rotate-keys.ts";
import { type RotationStep, rotationJobSteps, rotationStep } from "../../src/reconcile/rotation/rotation.ts";
import { statusInput } from "../../src/reconcile/status-input.ts";
import { completedJob, deploymentOf, inputs, jobOf, recordOf, secret, server } from "../support/fixtures.ts";

type Spec = Parameters<typeof server>[0];

const postgresql: Spec = {
  backendStore: { postgresql: { host: "db", database: "mlflow", credentialsSecretRef: { name: "db" } } },
  artifactStore: { s3: { bucket: "b" } },
};
const database = secret("db", { username: "u", password: "p" });
const up = { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1, readyReplicas: 1 };

/** A server in a cluster in which each step of a rotation takes effect only when the test decides. */
class Fixture {
  inputs: Inputs;
  /** The inputs that the pods have started with. */
  pods: Inputs;
  now = new Date("2026-01-01T00:00:00Z");
  finished = new Set<string>();
  jobs: Owned[] = [];

  constructor(rotate: string, spec: Spec = postgresql, secrets: readonly Secret[] = [database]) {
    const of = server(spec);
    const withHashKey = { ...inputs(of, secrets).session, hashKey: "hash-key-of-tests", kekVersion: "1" };
    this.inputs = { ...inputs(of, secrets), session: withHashKey };
    const status = { version: "3.17.2", migration: recordOf(jobOf(this.inputs)) };
    this.set({ ...of, metadata: { ...of.metadata, annotations: { [annotation.rotate]: rotate } }, status });
    this.pods = this.inputs;
  }

  set(of: MlflowServer): void {
    this.inputs = { ...this.inputs, server: of };
  }

  request(rotate: string): void {
    const { metadata, ...rest } = this.inputs.server;
    this.set({ ...rest, metadata: { ...metadata, annotations: { [annotation.rotate]: rotate } } });
  }

  owned(): Owned[] {
    const { metadata, ...deployment } = deploymentOf(this.pods);
    return [{ ...deployment, metadata: { ...metadata, generation: 1 }, status: up }, ...this.jobs];
  }

  step(): RotationStep {
    const model = resolve(this.inputs);
    return rotationStep({ inputs: this.inputs, model, owned: this.owned(), warnings: new Map(), now: this.now });
  }

  /** One reconciliation: the Secrets, the Jobs and the status are written, except what a killed operator leaves out. */
  reconcile(kill: "never" | "before the status" = "never"): RotationStep {
    const step = this.step();
    const { create, remove } = rotationJobSteps(step.jobs, this.owned(), this.inputs.server);
    const removed = new Set(remove.map(({ metadata }) => metadata.name));
    this.jobs = [...this.jobs.filter(({ metadata }) => !removed.has(metadata.name)), ...create];
    this.inputs = step.inputs;
    const { status } = this.inputs.server;
    if (kill === "never") this.set({ ...this.inputs.server, status: { ...status, rotations: [...step.records] } });
    return step;
  }

  rollOut(): void {
    this.pods = this.inputs;
  }

  completeJobs(): void {
    this.jobs = this.jobs.map((job) => (job.kind === "Job" ? completedJob(job) : job));
  }

  phase(name: string): string | undefined {
    return this.step().records.find((each) => each.name === name)?.phase;
  }

  names(): string[] {
    return this.jobs.map(({ metadata }) => metadata.name);
  }
}

describe("the rotation of the encryption key", () => {
  test("prepares, switches, encrypts again and removes, each only after all pods have the step before", () => {
    const fixture = new Fixture("encryption-key:1");
    const old = fixture.inputs.session.kekPassphrase;
    fixture.reconcile();
    const next = fixture.inputs.session.accepted?.kekPassphrase;
    assert.equal(fixture.inputs.session.kekPassphrase, old);
    assert.equal(fixture.inputs.session.accepted?.kekVersion, "2");
    assert.equal(fixture.phase("encryption-key"), "Preparing");
    fixture.reconcile();
    assert.equal(fixture.inputs.session.kekPassphrase, old, "the pods do not accept the new key yet");
    fixture.rollOut();
    fixture.reconcile();
    const { session } = fixture.inputs;
    assert.deepEqual([session.kekPassphrase, session.kekVersion], [next, "2"]);
    assert.deepEqual([session.accepted?.kekPassphrase, session.accepted?.kekVersion], [old, "1"]);
    fixture.reconcile();
    assert.deepEqual([fixture.phase("encryption-key"), fixture.names()], ["Switching", []]);
    fixture.rollOut();
    fixture.reconcile();
    assert.deepEqual([fixture.phase("encryption-key"), fixture.names().length], ["Renewing", 1]);
    fixture.reconcile();
    assert.equal(fixture.inputs.session.accepted?.kekPassphrase, old, "the Job has not completed");
    fixture.completeJobs();
    fixture.reconcile();
    assert.deepEqual([fixture.inputs.session.accepted, fixture.phase("encryption-key")], [undefined, "Removing"]);
    fixture.rollOut();
    fixture.reconcile();
    assert.deepEqual([fixture.phase("encryption-key"), fixture.names()], ["Completed", []]);
    const done = fixture.inputs.session;
    fixture.reconcile();
    assert.equal(fixture.inputs.session, done, "one request is one rotation");
  });

  test("continues where a killed operator stopped, from the Secret alone", () => {
    const fixture = new Fixture("encryption-key:1, webhook-key:1, session:1");
    for (let at = 0; at < 12; at++) {
      // The status is lost each time, and the Secret is all that a new operator reads.
      fixture.reconcile("before the status");
      const text = rotationsText(fixture.inputs.session.rotations);
      fixture.inputs = { ...fixture.inputs, session: { ...fixture.inputs.session, rotations: rotationsIn(text) } };
      fixture.rollOut();
      fixture.completeJobs();
      fixture.now = new Date(fixture.now.getTime() + overlapSeconds * 1000);
    }
    const { rotations = {}, accepted, kekVersion } = fixture.inputs.session;
    assert.deepEqual([accepted, kekVersion], [undefined, "2"], "exactly one rotation");
    for (const name of ["session", "encryption-key", "webhook-key"] as const)
      assert.deepEqual([rotations[name]?.phase, rotations[name]?.request], ["Completed", "1"]);
  });

  test("never loses the previous key before its Job has completed, in any order of events", () => {
    const fixture = new Fixture("encryption-key:1");
    const old = fixture.inputs.session.kekPassphrase;
    for (let at = 0; at < 6; at++) {
      fixture.reconcile();
      fixture.rollOut();
    }
    const { kekPassphrase, accepted } = fixture.inputs.session;
    assert.ok([kekPassphrase, accepted?.kekPassphrase].includes(old));
    fixture.jobs = [];
    fixture.reconcile();
    assert.equal(fixture.names().length, 1, "a deleted Job is created again");
  });

  test("begins again if the new key is removed while pods are prepared", () => {
    const fixture = new Fixture("webhook-key:1");
    fixture.reconcile();
    fixture.inputs = { ...fixture.inputs, session: withoutAccepted(fixture.inputs) };
    fixture.rollOut();
    fixture.reconcile();
    assert.match(fixture.inputs.session.accepted?.webhookKey ?? "", /^[\w-]{43}=$/);
    assert.equal(fixture.phase("webhook-key"), "Preparing");
  });

  test("does not prepare pods that never run at the same time as others", () => {
    const fixture = new Fixture("encryption-key:1", {});
    const old = fixture.inputs.session.kekPassphrase;
    fixture.reconcile();
    const { accepted, kekPassphrase } = fixture.inputs.session;
    assert.deepEqual([accepted?.kekPassphrase, kekPassphrase === old], [old, false]);
  });
});

function withoutAccepted({ session: { accepted: _, ...rest } }: Inputs): Inputs["session"] {
  return rest;
}

describe("the rotation of session keys", () => {
  test("accepts the previous session key for a day", () => {
    const fixture = new Fixture("session:1");
    const old = fixture.inputs.session.flaskSecretKey;
    for (let at = 0; at < 4; at++) {
      fixture.reconcile();
      fixture.rollOut();
    }
    assert.equal(fixture.inputs.session.accepted?.flaskSecretKey, old);
    assert.equal(fixture.phase("session"), "Renewing");
    assert.equal(fixture.step().againInSeconds, overlapSeconds);
    fixture.now = new Date(fixture.now.getTime() + overlapSeconds * 1000);
    fixture.reconcile();
    assert.equal(fixture.inputs.session.accepted, undefined);
  });

  test("can begin again in that time, so that two rotations end all sessions", () => {
    const fixture = new Fixture("session:1");
    const old = fixture.inputs.session.flaskSecretKey;
    for (const token of ["1", "2"]) {
      fixture.request(`session:${token}`);
      for (let at = 0; at < 4; at++) {
        fixture.reconcile();
        fixture.rollOut();
      }
    }
    const { flaskSecretKey, accepted } = fixture.inputs.session;
    assert.ok(![flaskSecretKey, accepted?.flaskSecretKey].includes(old));
  });

  test("changes no hash that decides about the migration or about passwords", () => {
    const fixture = new Fixture("session:1");
    const before = resolve(fixture.inputs);
    fixture.reconcile();
    fixture.rollOut();
    fixture.reconcile();
    const after = resolve(fixture.inputs);
    assert.notEqual(after.inputsHash, before.inputsHash);
    assert.deepEqual([after.migration, after.keyedHash("text")], [before.migration, before.keyedHash("text")]);
  });

  test("replaces the cookie secret immediately, because oauth2-proxy accepts only one", () => {
    const oauth2Proxy = {
      issuerURL: "https://i.example.com",
      clientID: "c",
      authorization: { allAuthenticatedUsers: {} },
    };
    const clientSecretRef = { name: "client", key: "secret" };
    const spec = { ...postgresql, authentication: { oauth2Proxy: { ...oauth2Proxy, clientSecretRef } } };
    const fixture = new Fixture("cookie:1", spec, [database, secret("client", { secret: "s" })]);
    const old = fixture.inputs.session.cookieSecret;
    fixture.reconcile();
    assert.notEqual(fixture.inputs.session.cookieSecret, old);
    assert.equal(fixture.phase("cookie"), "Removing");
    fixture.rollOut();
    fixture.reconcile();
    assert.equal(fixture.phase("cookie"), "Completed");
  });
});

describe("the rotation of the administrator's password", () => {
  test("sets the generated password in MLflow first, and then in the Secret", () => {
    const fixture = new Fixture("admin-password:1");
    const old = fixture.inputs.generatedAdmin?.password;
    fixture.reconcile();
    const next = fixture.inputs.generatedAdmin?.nextPassword;
    assert.equal(fixture.inputs.generatedAdmin?.password, old);
    fixture.reconcile();
    assert.equal(fixture.names().length, 1);
    fixture.reconcile();
    assert.equal(fixture.inputs.generatedAdmin?.password, old, "the Job has not completed");
    fixture.completeJobs();
    fixture.reconcile("before the status");
    assert.deepEqual(
      [fixture.inputs.generatedAdmin?.password, fixture.inputs.generatedAdmin?.nextPassword],
      [next, undefined],
    );
    assert.equal(fixture.names().length, 1, "the Job is the proof until the status has the record");
    fixture.reconcile();
    const done = fixture.inputs.generatedAdmin;
    fixture.reconcile();
    assert.deepEqual([fixture.inputs.generatedAdmin, fixture.names()], [done, []]);
    const record = fixture.step().records.find(({ name }) => name === "admin-password");
    assert.deepEqual([record?.phase, record?.request], ["Completed", "1"]);
  });

  test("sets a password that was changed in the user's Secret, and none that was not", () => {
    const basic = { adminCredentialsSecretRef: { name: "admin" } };
    const credentials = (password: string) => secret("admin", { username: "root", password });
    const fixture = new Fixture("", { ...postgresql, authentication: { basic } }, [
      database,
      credentials("first-password"),
    ]);
    fixture.reconcile();
    fixture.reconcile();
    assert.deepEqual(fixture.names(), [], "an administrator may have changed it in MLflow");
    const changed = inputs(fixture.inputs.server, [database, credentials("second-password")]).references;
    fixture.inputs = { ...fixture.inputs, references: changed };
    fixture.reconcile();
    assert.equal(fixture.names().length, 1);
    const [job] = fixture.step().jobs;
    const env = job?.spec.template.spec?.containers[0]?.env?.find(({ name }) => name === "MLFLOW_AUTH_ADMIN_PASSWORD");
    assert.deepEqual(env?.valueFrom?.secretKeyRef, { name: "admin", key: "password" });
    assert.ok(!JSON.stringify(fixture.step().records).includes("second-password"));
    fixture.completeJobs();
    fixture.reconcile();
    fixture.reconcile();
    assert.deepEqual([fixture.phase("admin-password"), fixture.names()], ["Completed", []]);
  });

  test("does not compare hashes with another key", () => {
    const fixture = new Fixture("");
    fixture.reconcile();
    fixture.inputs = { ...fixture.inputs, session: { ...fixture.inputs.session, hashKey: "another-hash-key" } };
    fixture.reconcile();
    assert.deepEqual(fixture.names(), []);
  });
});

describe("requests", () => {
  const problemOf = (rotate: string, spec: Spec = postgresql, secrets: readonly Secret[] = [database]) => {
    const fixture = new Fixture(rotate, spec, secrets);
    const { problem } = fixture.reconcile();
    assert.equal(fixture.inputs.session.rotations, undefined, "something was rotated");
    return problem;
  };

  test("are rejected with the values that are possible", () => {
    for (const text of ["sessions:1", "session", "session:", "session:a b", "session:1:2", "session:1,kek:1"])
      assert.match(
        problemOf(text)?.message ?? "",
        /NAME is one of session, cookie, encryption-key, webhook-key, admin-password; TOKEN/,
      );
    assert.match(problemOf("session:1,session:2")?.message ?? "", /more than once/);
    assert.match(problemOf("cookie:1")?.message ?? "", /no oauth2-proxy/);
    const none = { ...postgresql, authentication: { none: {} } };
    assert.match(problemOf("admin-password:1", none)?.message ?? "", /no administrator of this server has a password/);
  });

  test("are rejected for keys and passwords in Secrets of the user, which the operator never writes", () => {
    const keys = {
      "flask-secret-key": "f".repeat(32),
      "kek-passphrase": "k".repeat(32),
      "webhook-key": `${"w".repeat(43)}=`,
    };
    const own = { ...postgresql, server: { sessionSecretRef: { name: "own" } } };
    assert.match(problemOf("session:1", own, [database, secret("own", keys)])?.message ?? "", /your Secret own/);
    const admin = { ...postgresql, authentication: { basic: { adminCredentialsSecretRef: { name: "admin" } } } };
    const credentials = secret("admin", { username: "a", password: "long-enough-password" });
    assert.match(problemOf("admin-password:1", admin, [database, credentials])?.message ?? "", /your Secret admin/);
  });

  test("wait until all pods run the current spec", () => {
    const fixture = new Fixture("session:1");
    fixture.pods = { ...fixture.pods, session: { ...fixture.pods.session, webhookKey: `${"x".repeat(43)}=` } };
    const { problem } = fixture.reconcile();
    assert.equal(problem?.reason, "RotationWaiting");
    assert.equal(fixture.inputs.session.rotations, undefined);
    fixture.rollOut();
    assert.equal(fixture.reconcile().problem, undefined);
  });

  test("are reported by the condition RotationPending until they are complete", () => {
    const fixture = new Fixture("encryption-key:1");
    const state = () => {
      const { inputs: _, ...rotation } = fixture.step();
      const observed = { server: fixture.inputs.server, owned: [], now: fixture.now, rotation };
      return rotationPending.state(statusInput(observed, { state: "ready", cause: { reason: "Ready", message: "m" } }));
    };
    assert.equal(state(), undefined);
    fixture.reconcile();
    assert.match(state()?.message ?? "", /^encryption-key: Pods are replaced by pods that also accept the new key[.]$/);
    fixture.request("nothing");
    assert.equal(state()?.reason, "InvalidAnnotation");
  });
});

test("a change of a referenced Secret is recorded with its times", () => {
  const fixture = new Fixture("");
  const record = () => fixture.inputs.server.status?.rotations?.find(({ name }) => name === "references");
  fixture.reconcile();
  assert.deepEqual([record()?.phase, record()?.completedAt], ["Completed", undefined]);
  const changed = inputs(fixture.inputs.server, [secret("db", { username: "u", password: "p2" })]).references;
  fixture.inputs = { ...fixture.inputs, references: changed };
  fixture.reconcile();
  assert.equal(record()?.phase, "Switching");
  fixture.reconcile();
  fixture.rollOut();
  fixture.now = new Date("2026-01-01T00:01:00Z");
  fixture.reconcile();
  assert.deepEqual(
    [record()?.phase, record()?.startedAt, record()?.completedAt],
    ["Completed", "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z"],
  );
});

test("keys in the user's own Secret are encrypted again while it has a previous key", () => {
  const keys = {
    ...{ "flask-secret-key": "f".repeat(32), "kek-passphrase": "k".repeat(32), "webhook-key": `${"w".repeat(43)}=` },
    ...{ "kek-version": "2", "accepted-kek-passphrase": "o".repeat(32), "accepted-kek-version": "1" },
  };
  const fixture = new Fixture("", { ...postgresql, server: { sessionSecretRef: { name: "own" } } }, [
    database,
    secret("own", keys),
  ]);
  const accepted = { kekPassphrase: "o".repeat(32), kekVersion: "1" };
  fixture.inputs = { ...fixture.inputs, session: { ...fixture.inputs.session, accepted } };
  fixture.rollOut();
  fixture.reconcile();
  assert.deepEqual([fixture.phase("encryption-key"), fixture.names().length], ["Renewing", 1]);
  fixture.completeJobs();
  fixture.reconcile();
  assert.equal(fixture.phase("encryption-key"), "Completed");
});

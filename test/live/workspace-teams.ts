import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { isObject } from "../../src/api/structure.ts";
import { label } from "../../src/kube/names.ts";
import type { WorkspaceRole } from "../../src/kube/workspace-roles.ts";
import { type Draft, type Objects, objects } from "../support/objects.ts";
import { freshNamespace } from "../support/operator-fixture.ts";
import { clientPod } from "./client-pod.ts";
import { imageReference, testedVersion } from "./live-cluster.ts";
import { type LiveFixture, liveFixture } from "./live-fixture.ts";
import type { MlflowAnswer } from "./mlflow.ts";
import { serviceAccountToken } from "./service-accounts.ts";
import { waitUntil } from "./wait-until.ts";

/** The server. */
export const name = "tracking";

/** The members of a team, by their ServiceAccounts, and the role of each; the last has none. */
export const members = {
  viewer: "Viewer",
  editor: "Editor",
  admin: "Admin",
  writer: "TraceWriter",
  unrelated: undefined,
} as const satisfies Readonly<Record<string, WorkspaceRole | undefined>>;
type Member = keyof typeof members;
export const memberNames = ["unrelated", "writer", "viewer", "editor", "admin"] as const satisfies readonly Member[];

/** Two teams, each with a workspace of one MLflow: all members of the one, in pods, and an administrator of the other. */
export interface WorkspaceTeams extends LiveFixture {
  readonly team: string;
  readonly other: string;
  readonly inTeam: Objects;
  /** `spec.workspaces.access` of the server. */
  readonly granted: readonly { readonly role: WorkspaceRole; readonly namespaces: readonly string[] }[];
  /** Runs `workspace-roles.py` as a member of the team, and returns its output. */
  readonly asPod: (member: Member, ...args: readonly string[]) => Promise<unknown>;
  /** Creates one object of each kind, and returns ids and names. */
  readonly content: () => Promise<Readonly<Record<string, string>>>;
  /** Returns a new token, which is not in the plugin's cache. */
  readonly token: (namespace: string, account: string) => Promise<string>;
  /** Sends a GET with a token. */
  readonly get: (token: string, path: string, workspace?: string) => Promise<MlflowAnswer>;
}

export async function workspaceTeams(context: TestContext): Promise<WorkspaceTeams> {
  const fixture = await liveFixture(context, { isWide: true });
  const { cluster, namespace } = fixture;
  const program = await readFile(join(import.meta.dirname, "workspace-roles.py"), "utf8");
  const image = await imageReference(cluster, `mlflow-server:${testedVersion}`);
  const [team, other] = await Promise.all(
    [0, 1].map(() => freshNamespace(cluster, { [label.workspaceOf]: namespace })),
  );
  assert.ok(team !== undefined && other !== undefined);
  context.after(async () => {
    for (const each of [team, other]) await cluster.request("DELETE", `/api/v1/namespaces/${each}`);
  });
  const granted = [...memberNames.map((member) => [team, member] as const), [other, "admin"] as const].flatMap(
    ([place, member]) => {
      const role = members[member];
      if (role === undefined) return [];
      return { role, subjects: [{ kind: "ServiceAccount", name: member, namespace: place }], namespaces: [place] };
    },
  );
  const inTeam = objects(cluster, team);
  for (const member of memberNames) await inTeam.create("ServiceAccount", { metadata: { name: member } });
  await objects(cluster, other).create("ServiceAccount", { metadata: { name: "admin" } });
  await fixture.apply({
    metadata: { name },
    spec: {
      version: testedVersion,
      backendStore: { sqlite: {} },
      artifactStore: { persistentVolume: {} },
      authentication: { kubernetes: {} },
      workspaces: { default: team, access: granted },
      // The test also calls the gateway's routes.
      server: { aiGateway: "Enabled" },
    },
  });
  for (const member of memberNames) await inTeam.create("Pod", pod(member, image));
  await fixture.ready(name);
  await fixture.reason(name, "WorkspacesReady", "WorkspacesReady");
  for (const member of memberNames)
    await waitUntil(async () => assert.equal((await inTeam.the("Pod", member)).status?.phase, "Running"), 300);

  const asPod: WorkspaceTeams["asPod"] = async (member, ...args) => {
    const command = ["exec", "-i", "-n", team, member, "--", "python", "-W", "ignore", "-", ...args];
    const { code, stdout, stderr } = await cluster.kubectl(command, program);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  };
  return {
    ...fixture,
    team,
    other,
    inTeam,
    granted,
    asPod,
    content: async () => {
      const there = await asPod("admin", "prepare");
      assert.ok(isObject(there));
      return Object.fromEntries(Object.entries(there).map(([key, value]) => [key, String(value)]));
    },
    token: (place, account) => serviceAccountToken({ ...fixture, namespace: place }, account),
    get: async (bearer, path, workspace) => {
      const headers = {
        authorization: `Bearer ${bearer}`,
        ...(workspace !== undefined && { "x-mlflow-workspace": workspace }),
      };
      return (await fixture.asAnonymous(name)).call("GET", path, { headers });
    },
  };
}

/** Returns a client pod that is configured only with the ConfigMap of the workspace. */
function pod(member: string, image: string): Draft {
  const draft = clientPod({ name: member, image, trackingUri: "", serviceAccount: member });
  const text = JSON.stringify(draft, (key, value) => {
    if (key === "env" && Array.isArray(value)) return value.filter((each) => isObject(each) && each["name"] === "HOME");
    if (isObject(value) && value["name"] === "client" && "image" in value)
      return { ...value, envFrom: [{ configMapRef: { name: "mlflow-client" } }] };
    return value;
  });
  return JSON.parse(text);
}

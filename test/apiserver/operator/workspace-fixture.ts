import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { MlflowWorkspaceAccess } from "../../../src/api/workspace-access.ts";
import { label } from "../../../src/kube/names.ts";
import type { Json } from "../../api/documents.ts";
import type { ClusterAccess } from "../../control-plane/cluster-access.ts";
import { eventually } from "../../support/eventually.ts";
import { type Objects, objects } from "../../support/objects.ts";
import {
  condition,
  type Fixture,
  type FixtureOptions,
  fixture,
  freshNamespace,
} from "../../support/operator-fixture.ts";
import { server } from "../../support/servers.ts";

/** An operator of all namespaces, a server in its namespace, and namespaces of teams that are its workspaces. */
export interface WorkspaceFixture extends Fixture {
  /** A new namespace, with or without the opt-in label. */
  readonly team: (isOptedIn?: boolean, labels?: Readonly<Record<string, string>>) => Promise<Objects>;
  /** Applies the server with these workspaces, and waits until it is ready. */
  readonly serve: (workspaces: Json, name?: string) => Promise<void>;
  /** Name of the binding of a role of the server `mlflow`. */
  readonly binding: (role: string, name?: string) => string;
  /** The sorted names of the subjects of a role in a team's namespace. Fails without a binding. */
  readonly holders: (team: Objects, role: string, name?: string) => Promise<readonly string[]>;
  readonly workspacesReady: (reason: string, name?: string) => Promise<string>;
}

export async function workspaceFixture(
  context: TestContext,
  cluster: ClusterAccess,
  options: FixtureOptions = {},
): Promise<WorkspaceFixture> {
  const set = await fixture(context, { cluster, isWide: true, ...options });
  const { namespace } = set;
  const binding = (role: string, name = "mlflow") => `mlflow.${namespace}.${name}.${role}`;
  return {
    ...set,
    binding,
    team: async (isOptedIn = true, labels = {}) => {
      const optIn: Record<string, string> = isOptedIn ? { [label.workspaceOf]: namespace } : {};
      const name = await freshNamespace(cluster, { ...optIn, ...labels });
      context.after(() => cluster.request("DELETE", `/api/v1/namespaces/${name}`));
      await set.statuses.add(name);
      return objects(cluster, name);
    },
    serve: async (workspaces, name = "mlflow") => {
      const changes = { "spec.authentication": { kubernetes: {} }, "spec.workspaces": workspaces };
      await set.apply(server(name, changes));
      await set.ready(name, 60);
    },
    holders: async (team, role, name) => {
      const { subjects = [] } = await team.the("RoleBinding", binding(role, name));
      return subjects.map((subject) => subject.name);
    },
    workspacesReady: (reason, name = "mlflow") =>
      eventually(async () => {
        const server = await set.objects.the("MlflowServer", name);
        const found = condition(server, "WorkspacesReady");
        assert.equal(found.reason, reason, found.message);
        assert.equal(found.observedGeneration, server.metadata.generation);
        return found.message;
      }),
  };
}

/** Waits until an access has this reason, and returns the message. */
export function accessSays(team: Objects, name: string, reason: string): Promise<string> {
  return eventually(async () => {
    const access: MlflowWorkspaceAccess = await team.the("MlflowWorkspaceAccess", name);
    const ready = access.status?.conditions?.find(({ type }) => type === "Ready");
    assert.equal(ready?.reason, reason, JSON.stringify(access.status));
    assert.equal(ready?.observedGeneration, access.metadata.generation);
    return ready?.message ?? "";
  });
}

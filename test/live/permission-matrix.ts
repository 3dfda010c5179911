import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Mlflow } from "./mlflow.ts";

/** Operations on a resource. */
export const operations = ["read", "write", "delete", "manage"] as const;
export type Operation = (typeof operations)[number];

/** An experiment with a run and an artifact, or a registered model. */
export interface Resource {
  readonly type: "experiment" | "registered_model";
  /** The id in grants. */
  readonly id: string;
  /** The requests of each operation. */
  readonly calls: Readonly<Record<Operation, (mlflow: Mlflow) => readonly Promise<{ status: number; body: string }>[]>>;
}

const api = "/api/2.0/mlflow";

/** Grants a user a permission on a resource, as `by`. */
export function grant(by: Mlflow, username: string, { type, id }: Pick<Resource, "type" | "id">, permission: string) {
  const body = { username, resource_type: type, resource_id: id, permission };
  return by.call("POST", "/api/3.0/mlflow/users/permissions/grant", { body });
}

/** Creates an experiment with a run and an artifact. The operation manage is a grant to `other`. */
export async function newExperiment(admin: Mlflow, name: string, other: string): Promise<Resource> {
  const { experiment_id } = await admin.json("POST", `${api}/experiments/create`, { name });
  const { run } = await admin.json("POST", `${api}/runs/create`, { experiment_id, start_time: 1 });
  const id = String(experiment_id);
  const runId = /"run_id":"([^"]+)"/.exec(JSON.stringify(run))?.[1];
  const artifact = `/api/2.0/mlflow-artifacts/artifacts/${id}/${runId}/artifacts/note.txt`;
  assert.equal((await admin.call("PUT", artifact, { body: "kept" })).status, 200);
  const resource: Resource = {
    type: "experiment",
    id,
    calls: {
      read: (as) => [
        as.call("GET", `${api}/experiments/get?experiment_id=${id}`),
        as.call("GET", `${api}/runs/get?run_id=${runId}`),
        as.call("GET", artifact),
      ],
      write: (as) => [
        as.call("POST", `${api}/runs/create`, { body: { experiment_id: id, start_time: 1 } }),
        as.call("POST", `${api}/runs/log-metric`, { body: { run_id: runId, key: "loss", value: 1, timestamp: 1 } }),
        as.call("PUT", artifact, { body: "changed" }),
      ],
      delete: (as) => [as.call("POST", `${api}/experiments/delete`, { body: { experiment_id: id } })],
      manage: (as) => [grant(as, other, resource, "READ")],
    },
  };
  return resource;
}

/** Creates a registered model. */
export async function newModel(admin: Mlflow, name: string, other: string): Promise<Resource> {
  await admin.json("POST", `${api}/registered-models/create`, { name });
  const resource: Resource = {
    type: "registered_model",
    id: name,
    calls: {
      read: (as) => [as.call("GET", `${api}/registered-models/get?name=${name}`)],
      write: (as) => [
        as.call("PATCH", `${api}/registered-models/update`, { body: { name, description: "changed" } }),
        as.call("POST", `${api}/registered-models/set-tag`, { body: { name, key: "team", value: "a" } }),
      ],
      delete: (as) => [as.call("DELETE", `${api}/registered-models/delete`, { body: { name } })],
      manage: (as) => [grant(as, other, resource, "READ")],
    },
  };
  return resource;
}

/** Returns the allowed operations; deletes last. Fails if the requests of an operation have different results. */
export async function allowed(as: Mlflow, resource: Resource): Promise<readonly Operation[]> {
  const found: Operation[] = [];
  for (const operation of ["read", "write", "manage", "delete"] as const) {
    const answers = await Promise.all(resource.calls[operation](as));
    const statuses = answers.map(({ status }) => status);
    const details = `${operation} of ${resource.type} ${resource.id}: ${statuses} ${answers.map(({ body }) => body)}`;
    assert.ok(statuses.every((status) => status === 200) || statuses.every((status) => status === 403), details);
    if (statuses[0] === 200) found.push(operation);
  }
  return operations.filter((operation) => found.includes(operation));
}

/** Creates a user and returns a client with its login. */
export async function newUser(admin: Mlflow, username: string): Promise<Mlflow> {
  const password = newPassword();
  await admin.json("POST", `${api}/users/create`, { username, password });
  return admin.as({ login: { username, password } });
}

export function newPassword(): string {
  return randomBytes(18).toString("base64url");
}

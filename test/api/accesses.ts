import type { Document, Json } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

/** A MlflowWorkspaceAccess with every field. */
export const access: Document = {
  apiVersion: "mlflow-operator.dev/v1alpha1",
  kind: "MlflowWorkspaceAccess",
  metadata: { name: "guests" },
  spec: {
    serverRef: { namespace: "mlflow", name: "tracking" },
    role: "Editor",
    subjects: [
      { kind: "ServiceAccount", name: "training", namespace: "team-a" },
      { kind: "Group", name: "Data Science: München" },
      { kind: "User", name: "https://dex.example.com/dex#ada" },
    ],
    expiresAt: "2027-01-31T18:00:00+01:00",
  },
};

export const rightAccesses: Readonly<Record<string, Document>> = { access };

const of = wrong(access);

const subject = (title: string, value: Json, field: string, says: string) =>
  of(title, { "spec.subjects[0]": value }, `spec.subjects[0]${field}`, says);

const times = [
  "soon",
  "2027-01-31",
  "2027-01-31T18:00Z",
  "2027-13-01T00:00:00Z",
  "2027-01-31T24:00:00Z",
  "2027-01-31 18:00:00Z",
  "2027-02-30T00:00:00Z",
  "2027-11-31T00:00:00Z",
];

export const wrongAccesses: readonly Wrong[] = [
  of("no spec", { spec: undefined }, "spec", "write spec with serverRef, role and subjects"),
  of("no server", { "spec.serverRef": undefined }, "spec.serverRef", "such as serverRef: {namespace: mlflow"),
  of(
    "no namespace of the server",
    { "spec.serverRef.namespace": undefined },
    "spec.serverRef.namespace",
    "write the namesp",
  ),
  of(
    "no name of the server",
    { "spec.serverRef.name": undefined },
    "spec.serverRef.name",
    "write the name of the MlflowS",
  ),
  of(
    "an invalid name of the server",
    { "spec.serverRef.name": "a.b" },
    "spec.serverRef.name",
    "must be the name of an Mlflow",
  ),
  of("no role", { "spec.role": undefined }, "spec.role", "write role: Viewer, Editor, Admin, TraceWriter"),
  of(
    "an unknown role",
    { "spec.role": "Owner" },
    "spec.role",
    'supported values: "Viewer", "Editor", "Admin", "TraceWriter"',
  ),
  of("no subjects", { "spec.subjects": [] }, "spec.subjects", "should have at least 1 items"),
  of("no subjects", { "spec.subjects": undefined }, "spec.subjects", "such as subjects: [{kind: Group"),
  ...times.map((time) =>
    of(`the time ${time}`, { "spec.expiresAt": time }, "spec.expiresAt", "such as 2027-01-31T18:00:00Z"),
  ),
  subject(
    "a ServiceAccount without namespace",
    { kind: "ServiceAccount", name: "training" },
    ".namespace",
    "add namespace",
  ),
  subject(
    "a user in a namespace",
    { kind: "User", name: "ada", namespace: "team-a" },
    ".namespace",
    "leave out namespace",
  ),
  subject("no kind", { name: "ada" }, ".kind", "write kind: User, Group or ServiceAccount"),
  subject("no name", { kind: "User" }, ".name", "write the name of the user"),
  subject("another kind", { kind: "Robot", name: "r2" }, ".kind", "Unsupported value"),
  ...["system:authenticated", "system:unauthenticated", "system:serviceaccounts"].map((name) =>
    subject(`the group ${name}`, { kind: "Group", name }, ".name", "write a narrower group"),
  ),
  subject("the anonymous user", { kind: "User", name: "system:anonymous" }, ".name", "this includes all users"),
  subject(
    "a ServiceAccount as a user",
    { kind: "User", name: "system:serviceaccount:team-a:training" },
    ".name",
    "write kind: ServiceAccount",
  ),
  of("an unknown field", { "spec.until": "2027" }, "", "spec.until"),
];

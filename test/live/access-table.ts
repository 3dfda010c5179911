import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { forgedHeaders } from "../oauth2-proxy/forged-headers.ts";
import { pathTricks } from "../oauth2-proxy/path-tricks.ts";
import { type RawAnswer, raw } from "../oauth2-proxy/raw.ts";
import { unsigned } from "../support/oidc/signing-key.ts";

/** The result of one attempt to write a run. */
export interface Attempt {
  readonly who: string;
  readonly status: number;
  readonly body: string;
  /** The owner of the run in MLflow; empty without a run. */
  readonly owner: string;
}

/** A row of the table: one attempt, or several with the same purpose. */
export type Row = Omit<Attempt, "status"> & { readonly status: number | string };

/** Attempts to write a run with these header lines. */
export type Attempting = (who: string, lines: readonly string[], path?: string, body?: string) => Promise<Attempt>;

/** The name in which every client tries to write a run. */
export const claimedOwner = "mallory";
export const attemptPath = "/api/2.0/mlflow/runs/create";
const attemptBody = JSON.stringify({ experiment_id: "0", start_time: 1, user_id: claimedOwner });

export const basicLine = (username: string, password: string) =>
  `Authorization: Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** Returns a function for attempts at the address of a Service. */
export function attemptsAt(host: string, name: string): Attempting {
  return async (who, lines, path = attemptPath, body = attemptBody) => {
    const answer = await raw(5000, "POST", path, lines, { host, name, body });
    return { who, status: answer.status, body: kindOf(answer), owner: ownerOf(answer) };
  };
}

/** Attempts without a valid credential, for every authentication method. */
export async function unauthenticatedAttempts(attempt: Attempting): Promise<readonly Row[]> {
  const all = async (who: string, tries: readonly Promise<Attempt>[]) => combined(who, await Promise.all(tries));
  const tricks = pathTricks(attemptPath);
  const defaults = [basicLine("admin", "password"), basicLine("admin", "password1234"), basicLine("admin", "")];
  return [
    await attempt("no credential", []),
    await attempt("no credential, `Accept: text/html`", ["Accept: text/html"]),
    await all(
      `no credential, each of ${forgedHeaders.length} sets of forged headers`,
      forgedHeaders.map((lines) => attempt("", lines)),
    ),
    await all(
      `no credential, each of ${tricks.length} manipulated paths`,
      tricks.map((path) => attempt("", [], path)),
    ),
    await all(
      "MLflow's previous default passwords, and an empty one",
      defaults.map((line) => attempt("", [line])),
    ),
    await attempt("an invalid token", ["Authorization: Bearer x"]),
    await attempt("an unsigned token (`alg: none`)", [
      `Authorization: Bearer ${unsigned({ sub: "admin", groups: ["system:masters"] })}`,
    ]),
  ];
}

/** Requests that are denied even for authenticated users with all permissions. */
export async function deniedAttempts(
  attempt: Attempting,
  who: string,
  lines: readonly string[],
): Promise<readonly Row[]> {
  const outside = JSON.stringify({ name: "outside", artifact_location: "s3://another-bucket/prefix" });
  const json = [...lines, "Content-Type: application/json"];
  return [
    await attempt(`${who}, to MLflow's Assistant`, lines, "/ajax-api/3.0/mlflow/assistant/message"),
    await attempt(`${who}, to the AI gateway`, lines, "/gateway/any/mlflow/invocations"),
    await attempt(
      `${who}, an experiment with artifacts in another bucket`,
      json,
      "/api/2.0/mlflow/experiments/create",
      outside,
    ),
  ];
}

/** Asserts that docs/security.md contains this table; UPDATE_TABLES=1 writes it. */
export async function assertDocumented(section: string, rows: readonly Row[]): Promise<void> {
  const path = join(import.meta.dirname, "../../docs/security.md");
  const page = await readFile(path, "utf8");
  const [begin, end] = [`<!-- ${section}: from test/live -->\n`, `<!-- ${section}: end -->`];
  const [from, to] = [page.indexOf(begin) + begin.length, page.indexOf(end)];
  assert.ok(from >= begin.length && to >= from, `docs/security.md has no markers for ${section}`);
  const lines = rows.map(({ who, status, body, owner }) => `| ${who} | ${status} | ${body} | ${owner} |`);
  const table = ["| client | status | answer | owner of the run |", "|---|---|---|---|", ...lines, ""].join("\n");
  if (process.env["UPDATE_TABLES"] === "1") await writeFile(path, page.slice(0, from) + table + page.slice(to));
  else
    assert.equal(
      page.slice(from, to),
      table,
      "the table in docs/security.md is out of date. UPDATE_TABLES=1 updates it",
    );
}

/** Asserts that exactly these clients have written a run, and that all others were denied. */
export function assertAccess(rows: readonly Row[], inside: readonly string[]): void {
  assert.deepEqual(
    rows.filter(({ owner }) => owner !== "").map(({ who }) => who),
    inside,
  );
  for (const { who, status, owner } of rows)
    for (const each of String(status).split(", ")) assert.equal(each === "200", owner !== "", `${who}: ${status}`);
}

function combined(who: string, attempts: readonly Attempt[]): Row {
  const different = (of: (attempt: Attempt) => string) => [...new Set(attempts.map(of))].sort().join(", ");
  return {
    who,
    status: different(({ status }) => String(status)),
    body: different(({ body }) => body),
    owner: different(({ owner }) => owner),
  };
}

function kindOf({ contentType, location, body }: RawAnswer): string {
  if (location !== "") return "redirect";
  if (contentType.startsWith("application/json")) return "JSON";
  if (contentType.startsWith("text/html")) return "page";
  return body === "" ? "nothing" : contentType.replace(/;.*/, "");
}

function ownerOf({ status, body }: RawAnswer): string {
  if (status !== 200) return "";
  const owner = /"user_id": *"([^"]*)"/.exec(body)?.[1];
  assert.ok(owner !== undefined, `no run was created: ${body}`);
  return owner;
}

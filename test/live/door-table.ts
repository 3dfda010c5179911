import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RawAnswer } from "../oauth2-proxy/raw.ts";

/** What came of one attempt to write a run. */
export interface Attempt {
  readonly who: string;
  readonly status: number;
  readonly body: string;
  /** Whom MLflow recorded as the run's owner; empty where there is no run. */
  readonly owner: string;
}

/** What everybody tries: to write a run, and to have it in another's name. */
export const claimed = "mallory";
export const attemptPath = "/api/2.0/mlflow/runs/create";
export const attemptBody = JSON.stringify({ experiment_id: "0", start_time: 1, user_id: claimed });

export function attemptOf(who: string, answer: RawAnswer): Attempt {
  return { who, status: answer.status, body: kindOf(answer), owner: ownerOf(answer) };
}

/** Asserts that a page of the docs has this very table; with UPDATE_TABLES=1 it is written there. */
export async function assertDocumented(section: string, attempts: readonly Attempt[]): Promise<void> {
  const path = join(import.meta.dirname, "../../docs/authentication.md");
  const page = await readFile(path, "utf8");
  const [begin, end] = [`<!-- ${section}: from test/live -->\n`, `<!-- ${section}: end -->`];
  const [from, to] = [page.indexOf(begin) + begin.length, page.indexOf(end)];
  assert.ok(from >= begin.length && to >= from, `docs/authentication.md has no place for ${section}`);
  const rows = attempts.map(({ who, status, body, owner }) => `| ${who} | ${status} | ${body} | ${owner} |`);
  const table = ["| who writes a run | status | answer | owner of the run |", "|---|---|---|---|", ...rows, ""].join(
    "\n",
  );
  if (process.env["UPDATE_TABLES"] === "1") await writeFile(path, page.slice(0, from) + table + page.slice(to));
  else
    assert.equal(
      page.slice(from, to),
      table,
      "the table in docs/authentication.md is another: UPDATE_TABLES=1 writes it",
    );
}

function kindOf({ contentType, location, body }: RawAnswer): string {
  if (location !== "") return "redirect";
  if (contentType.startsWith("application/json")) return "JSON";
  if (contentType.startsWith("text/html")) return "page";
  return body === "" ? "nothing" : contentType;
}

function ownerOf({ status, body }: RawAnswer): string {
  if (status !== 200) return "";
  const owner = /"user_id": *"([^"]*)"/.exec(body)?.[1];
  assert.ok(owner !== undefined, `no run was made: ${body}`);
  return owner;
}

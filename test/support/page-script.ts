import assert from "node:assert/strict";
import { runInNewContext } from "node:vm";

/** Returns the URL to which the script of this page redirects a browser. */
export function redirectOfScript(page: string, url: string): string {
  const [, script] = /<script>(.*)<\/script>/s.exec(page) ?? [];
  assert.ok(script !== undefined, `no script in: ${page}`);
  const { origin, pathname, search, hash } = new URL(url);
  let next: string | undefined;
  const replace = (target: string) => {
    next = target;
  };
  runInNewContext(script, { location: { origin, pathname, search, hash, replace } });
  assert.ok(next !== undefined, "the script does not redirect");
  return new URL(next, url).href;
}

import assert from "node:assert/strict";
import { runInNewContext } from "node:vm";

/** Where a browser goes that opens this page at this URL: what its script does with `location`, as a browser runs it. */
export function scriptedWay(page: string, url: string): string {
  const [, script] = /<script>(.*)<\/script>/s.exec(page) ?? [];
  assert.ok(script !== undefined, `there is no script in: ${page}`);
  const { origin, pathname, search, hash } = new URL(url);
  let next: string | undefined;
  const replace = (target: string) => {
    next = target;
  };
  runInNewContext(script, { location: { origin, pathname, search, hash, replace } });
  assert.ok(next !== undefined, "the script goes nowhere");
  return new URL(next, url).href;
}

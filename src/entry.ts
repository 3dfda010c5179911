#!/usr/bin/env node
/**
 * The entry of the program: it checks the version of Node before it loads the rest, which an older version cannot parse or run. It is
 * without static imports for that reason.
 */
const required = 24;
const current = Number.parseInt(process.versions.node, 10);

if (current >= required) await import("./main.ts");
else {
  console.error(
    `Node ${required} or newer is required, and this is Node ${process.versions.node}. Install it: https://nodejs.org`,
  );
  process.exitCode = 1;
}

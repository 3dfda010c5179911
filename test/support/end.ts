import { after } from "node:test";

/**
 * Loaded before a test file: a failed test that leaves handles open must not keep its process running. Node's
 * `--test-force-exit` exits immediately, which loses results that were not yet sent to the runner.
 */
const secondsToClose = 2;

after(() => {
  setTimeout(() => process.exit(), secondsToClose * 1000).unref();
});

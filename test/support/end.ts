import { after } from "node:test";

/**
 * Loaded before a test file. A test that fails before it closes what it opened must not keep its file from ending. Node's own
 * `--test-force-exit` ends it at once, and then what is still on its way to the runner is lost: tests, and why they failed.
 */
const secondsToClose = 2;

after(() => {
  setTimeout(() => process.exit(), secondsToClose * 1000).unref();
});

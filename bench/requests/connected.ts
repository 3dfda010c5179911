import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const milliseconds = 120_000;

/** Resolves when a process accepts connections at a port of loopback. Rejects with its log if it ends before. */
export async function connected(port: number, child: ChildProcess, log: string): Promise<void> {
  for (const deadline = Date.now() + milliseconds; ; ) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(await readFile(log, "utf8"));
    await sleep(20);
  }
}

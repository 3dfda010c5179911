/** Returns the used heap of a process in bytes after a garbage collection, from its inspector. */
export async function heapOf(address: string): Promise<number> {
  const socket = new WebSocket(address);
  const waiting = new Map<number, (result: { usedSize?: number }) => void>();
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(String(data));
    waiting.get(id)?.(result);
  });
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", reject);
  });
  const call = (id: number, method: string) =>
    new Promise<{ usedSize?: number }>((resolve) => {
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method }));
    });
  await call(1, "HeapProfiler.enable");
  await call(2, "HeapProfiler.collectGarbage");
  await call(3, "HeapProfiler.collectGarbage");
  const { usedSize = Number.NaN } = await call(4, "Runtime.getHeapUsage");
  socket.close();
  return usedSize;
}

import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { openPage } from "./chromium.ts";

/** What is looked at, as whom, and what must be seen before the picture is taken. */
export interface View {
  readonly url: string;
  readonly login: { readonly username: string; readonly password: string };
  readonly texts: readonly string[];
}

/** Writes a PNG of the page, as soon as it shows all texts. Rejects where it does not within a minute. */
export async function screenshot(program: string, { url, login, texts }: View, path: string): Promise<void> {
  const page = await openPage(program, 1400, 900);
  try {
    const credentials = Buffer.from(`${login.username}:${login.password}`).toString("base64");
    await page.call("Network.enable");
    await page.call("Network.setExtraHTTPHeaders", { headers: { Authorization: `Basic ${credentials}` } });
    // On a first visit by localhost MLflow opens its assistant over half of the page.
    const source = 'localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true")';
    await page.call("Page.addScriptToEvaluateOnNewDocument", { source });
    await page.call("Page.navigate", { url });
    const deadline = Date.now() + 60_000;
    for (let shown = ""; !texts.every((text) => shown.includes(text)); ) {
      if (Date.now() > deadline)
        throw new Error(`the page does not show ${texts.join(", ")}, but: ${shown.slice(0, 200)}`);
      await sleep(500);
      const { result } = await page.call("Runtime.evaluate", { expression: "document.body.innerText" });
      shown = textOf(result);
    }
    // What is drawn after the text, such as charts.
    await sleep(1500);
    const { data } = await page.call("Page.captureScreenshot", { format: "png" });
    await writeFile(path, String(data), "base64");
  } finally {
    await page.close();
  }
}

function textOf(result: unknown): string {
  return typeof result === "object" && result !== null && "value" in result ? String(result.value) : "";
}

import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { openPage } from "./chromium.ts";

/** What is looked at, as whom, and what must be seen before the picture is taken. */
export interface View {
  readonly url: string;
  readonly login: { readonly username: string; readonly password: string };
  readonly texts: readonly string[];
  /** What is drawn after the texts; the picture is taken without it when it does not come. */
  readonly drawn: string;
}

/** Writes a PNG of the page, as soon as it shows all texts. Rejects where it does not within a minute. */
export async function screenshot(program: string, { url, login, texts, drawn }: View, path: string): Promise<void> {
  const page = await openPage(program, 1400, 900);
  try {
    const credentials = Buffer.from(`${login.username}:${login.password}`).toString("base64");
    await page.call("Network.enable");
    await page.call("Network.setExtraHTTPHeaders", { headers: { Authorization: `Basic ${credentials}` } });
    // On a first visit by localhost MLflow opens its assistant over half of the page.
    const source = 'localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true")';
    await page.call("Page.enable");
    await page.call("Page.addScriptToEvaluateOnNewDocument", { source });
    await page.call("Page.navigate", { url });
    const evaluated = async (expression: string) => {
      const { result } = await page.call("Runtime.evaluate", { expression });
      return typeof result === "object" && result !== null && "value" in result ? result.value : undefined;
    };
    const begun = Date.now();
    const isLate = (seconds: number) => Date.now() - begun > seconds * 1000;
    for (let shown = ""; !texts.every((text) => shown.includes(text)); ) {
      if (isLate(60)) throw new Error(`the page does not show ${texts.join(", ")}, but: ${shown.slice(0, 200)}`);
      await sleep(500);
      shown = String(await evaluated("document.body.innerText"));
    }
    const isDrawn = `document.querySelector(${JSON.stringify(drawn)}) !== null`;
    while (!isLate(60) && (await evaluated(isDrawn)) !== true) await sleep(500);
    await sleep(1000);
    const { data } = await page.call("Page.captureScreenshot", { format: "png" });
    await writeFile(path, String(data), "base64");
  } finally {
    await page.close();
  }
}

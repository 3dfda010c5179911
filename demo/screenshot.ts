import { shows, withPage } from "./chromium.ts";

/** A page, its credentials, and the texts that must be visible before the screenshot. */
export interface View {
  readonly url: string;
  readonly login: { readonly username: string; readonly password: string };
  readonly texts: readonly string[];
  /** Selector of content that is drawn after the texts; optional in the screenshot. */
  readonly drawn: string;
}

/** Writes a PNG of the page when it shows all texts. Rejects after a minute. */
export async function screenshot(program: string, { url, login, texts, drawn }: View, path: string): Promise<void> {
  const credentials = Buffer.from(`${login.username}:${login.password}`).toString("base64");
  await withPage(program, { extraHTTPHeaders: { Authorization: `Basic ${credentials}` } }, async (page) => {
    // On the first visit MLflow opens its assistant over half of the page.
    await page.addInitScript('localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true")');
    await page.goto(url, { timeout: minute, waitUntil: "commit" });
    for (const text of texts) await shows(page, text, minute);
    await page.waitForSelector(drawn, { state: "attached", timeout: minute }).catch(() => undefined);
    await page.waitForTimeout(1000);
    await page.screenshot({ path });
  });
}

const minute = 60_000;

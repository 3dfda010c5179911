import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

/** Requests an access token with client credentials, from a token endpoint with a certificate of `ca`. */
export async function clientToken(url: string, ca: string | undefined, id: string, secret: string): Promise<string> {
  const answer = await posted(url, ca, `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`);
  const parsed: unknown = JSON.parse(answer);
  if (typeof parsed === "object" && parsed !== null && "access_token" in parsed) return String(parsed.access_token);
  throw new Error(`The issuer gives ${id} no token: ${answer}`);
}

function posted(url: string, ca: string | undefined, authorization: string): Promise<string> {
  const headers = { authorization, "content-type": "application/x-www-form-urlencoded" };
  return new Promise((resolve, reject) => {
    const options = { method: "POST", headers, agent: false as const };
    const outgoing = url.startsWith("https:") ? httpsRequest(url, { ...options, ca }) : httpRequest(url, options);
    outgoing.on("error", reject);
    outgoing.on("response", async (incoming) => {
      let text = "";
      for await (const chunk of incoming.setEncoding("utf8")) text += String(chunk);
      resolve(text);
    });
    outgoing.end("grant_type=client_credentials");
  });
}

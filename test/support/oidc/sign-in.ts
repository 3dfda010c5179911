import type { IncomingMessage, ServerResponse } from "node:http";
import type { Provider } from "oidc-provider";
import { claimsOf, type Person } from "./person.ts";

/** The login form with the fields `login` and `password`. */
const page = (word: string) => `<!doctype html><title>Sign in</title><h1>Sign in</h1><p>${word}</p>
<form method="post"><input name="login" autofocus><input name="password" type="password"><button>Sign in</button></form>`;

/** Handles `/interaction/<uid>`: the login page and its form. */
export async function signIn(
  issuer: Provider,
  people: readonly Person[],
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  outgoing.setHeader("content-type", "text/html; charset=utf-8");
  if (incoming.method !== "POST") return void outgoing.end(page("Who are you?"));
  const typed = new URLSearchParams(await textOf(incoming));
  const person = people.find(
    ({ login, password }) => login === typed.get("login") && password === typed.get("password"),
  );
  if (person === undefined) return void outgoing.writeHead(401).end(page("Unknown login or wrong password."));
  const result = { login: { accountId: claimsOf(person).sub } };
  await issuer.interactionFinished(incoming, outgoing, result, { mergeWithLastSubmission: false });
}

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming.setEncoding("utf8")) text += String(chunk);
  return text;
}

import { type Answer, askAgentCore } from "@shared/agent_core.ts";
import { sameSecret } from "@shared/auth.ts";
import { healthy, json, subPath } from "@shared/http.ts";
import { MENU } from "@shared/menu.ts";
import { VERSION } from "@shared/version.ts";
import { signed, type TextMessage, textMessages } from "@shared/whatsapp.ts";

type Reply = Answer & { message_id: string };

const MAX_BODY = 1024 * 1024;

/** Meta's check that the address is ours: the challenge comes back as it was. */
function verify(url: URL): Response {
  const token = Deno.env.get("WA_VERIFY_TOKEN") ?? "";
  const given = url.searchParams.get("hub.verify_token") ?? "";
  const subscribing = url.searchParams.get("hub.mode") === "subscribe";
  if (!subscribing || token === "" || !sameSecret(given, token)) {
    return json({ error: "The verify token is missing or wrong." }, 403);
  }
  return new Response(url.searchParams.get("hub.challenge") ?? "", {
    headers: { "content-type": "text/plain" },
  });
}

async function read(request: Request): Promise<Uint8Array<ArrayBuffer> | null> {
  if (Number(request.headers.get("content-length") ?? 0) > MAX_BODY) return null;
  const body = await request.bytes();
  return body.length > MAX_BODY ? null : body;
}

/** What agent-core says, or the menu when it says nothing usable. */
async function answer(message: TextMessage): Promise<Reply> {
  const { message_id } = message;
  try {
    const answered = await askAgentCore(message);
    return { message_id, ...answered };
  } catch (error) {
    console.error(`fallback to the menu for message ${message_id}: ${error}`);
    return { message_id, route: "fallback", ...MENU };
  }
}

async function receive(request: Request): Promise<Response> {
  const body = await read(request);
  if (body === null) return json({ error: "The body is larger than 1 MB." }, 413);
  const signature = request.headers.get("x-hub-signature-256") ?? "";
  if (!await signed(body, signature, Deno.env.get("WA_APP_SECRET") ?? "")) {
    return json({ error: "The signature is missing or wrong." }, 401);
  }
  let messages: TextMessage[];
  try {
    messages = textMessages(JSON.parse(new TextDecoder().decode(body)));
  } catch {
    return json({ error: "The body is not a WhatsApp notification." }, 400);
  }
  const replies = await Promise.all(messages.map(answer));
  for (const { message_id, route } of replies) {
    console.log(`message ${message_id} routed to ${route}`);
  }
  return json({ status: "ok", version: VERSION, replies });
}

Deno.serve((request) => {
  if (subPath(request) === "/_health") return healthy();
  if (request.method === "GET") return verify(new URL(request.url));
  if (request.method === "POST") return receive(request);
  return json({ error: "Only GET and POST." }, 405);
});

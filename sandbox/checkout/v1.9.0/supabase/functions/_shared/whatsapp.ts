import { sameSecret } from "./auth.ts";

export interface TextMessage {
  from: string;
  text: string;
  message_id: string;
}

/** Whether `signature` ("sha256=<hex>") is the HMAC of exactly these bytes. */
export async function signed(
  body: Uint8Array<ArrayBuffer>,
  signature: string,
  secret: string,
): Promise<boolean> {
  if (secret === "") return false;
  const encoded = new TextEncoder().encode(secret);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoded, algorithm, false, ["sign"]);
  const digest = new Uint8Array(await crypto.subtle.sign("HMAC", key, body));
  return sameSecret(signature, `sha256=${digest.toHex()}`);
}

/** The text messages of a webhook notification; throws when it is not one. */
export function textMessages(notification: unknown): TextMessage[] {
  // deno-lint-ignore no-explicit-any
  const { object, entry } = notification as any;
  if (object !== "whatsapp_business_account") throw new TypeError("not WhatsApp's");
  const found: TextMessage[] = [];
  for (const { changes } of entry) {
    for (const { value } of changes) {
      for (const message of value.messages ?? []) {
        if (message.type !== "text") continue;
        const { from, id, text } = message;
        if (typeof from !== "string" || typeof text.body !== "string") {
          throw new TypeError("a text message without sender or text");
        }
        // Meta always sends an id; a test by hand may not.
        found.push({ from, text: text.body, message_id: String(id ?? crypto.randomUUID()) });
      }
    }
  }
  return found;
}

const TIMEOUT_MS = 5_000;

/** One call to agent-core; throws when it does not answer 2xx with JSON in time. */
export async function callAgentCore(
  path: string,
  init: RequestInit = {},
): Promise<Record<string, unknown>> {
  const base = Deno.env.get("AGENT_CORE_URL") ?? "";
  const response = await fetch(base + path, {
    ...init,
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`agent-core answered ${response.status} to ${path}`);
  }
  return await response.json();
}

export interface Answer {
  route: "agent" | "menu" | "fallback";
  agent?: string;
  text: string;
  buttons?: string[];
}

/** The answer to a message; "fallback" when the menu answers in an agent's place. */
export async function askAgentCore(message: { message_id: string }): Promise<Answer> {
  const answered = await callAgentCore("/messages", {
    method: "POST",
    // A pod that is about to end may close the connection under us: the gateway asks another then.
    headers: { "content-type": "application/json", "idempotency-key": message.message_id },
    body: JSON.stringify(message),
  });
  const { handled_by, agent } = answered;
  const { text, buttons } = answered.reply as { text: string; buttons?: string[] };
  if (typeof text !== "string") throw new TypeError("agent-core's answer has no text");
  const reply = buttons?.length ? { text, buttons } : { text };
  if (typeof agent !== "string") return { route: "menu", ...reply };
  return { route: handled_by === "agent" ? "agent" : "fallback", agent, ...reply };
}

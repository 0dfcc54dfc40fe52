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

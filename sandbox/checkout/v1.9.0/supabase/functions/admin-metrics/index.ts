import { callAgentCore } from "../_shared/agent_core.ts";
import { refuseStrangers } from "../_shared/auth.ts";
import { healthy, json, subPath } from "../_shared/http.ts";
import { VERSION } from "../_shared/version.ts";

/** Whether agent-core is there: before the agents there is nothing more to tell. */
Deno.serve(async (request) => {
  if (subPath(request) === "/_health") return healthy();
  const refusal = refuseStrangers(request);
  if (refusal !== null) return refusal;
  try {
    return json({ version: VERSION, agent_core: await callAgentCore("/health") });
  } catch (error) {
    console.error(String(error));
    return json({ version: VERSION, error: "agent-core does not answer." }, 502);
  }
});

import { callAgentCore } from "../_shared/agent_core.ts";
import { refuseStrangers } from "../_shared/auth.ts";
import { healthy, json, subPath } from "../_shared/http.ts";
import { VERSION } from "../_shared/version.ts";

/** The agents and whether each is on, as agent-core's dashboard has them. */
Deno.serve(async (request) => {
  if (subPath(request) === "/_health") return healthy();
  const refusal = refuseStrangers(request);
  if (refusal !== null) return refusal;
  try {
    const { agents, rollout_percentage } = await callAgentCore("/agents/dashboard.json", {
      headers: { authorization: request.headers.get("authorization") ?? "" },
    });
    return json({ version: VERSION, rollout_percentage, agents });
  } catch (error) {
    console.error(String(error));
    return json({ version: VERSION, error: "agent-core gives no dashboard." }, 502);
  }
});

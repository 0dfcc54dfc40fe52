import { callAgentCore } from "../_shared/agent_core.ts";
import { refuseStrangers } from "../_shared/auth.ts";
import { healthy, json, subPath } from "../_shared/http.ts";
import { VERSION } from "../_shared/version.ts";

/** Volume, success, p95, fallback and error rate, as agent-core's dashboard has them. */
Deno.serve(async (request) => {
  if (subPath(request) === "/_health") return healthy();
  const refusal = refuseStrangers(request);
  if (refusal !== null) return refusal;
  try {
    const dashboard = await callAgentCore("/agents/dashboard.json");
    const { requests: volume, success_rate, p95_ms, fallback_rate, error_rate } = dashboard;
    const metrics = { volume, success_rate, p95_ms, fallback_rate, error_rate };
    return json({ version: VERSION, ...metrics });
  } catch (error) {
    console.error(String(error));
    return json({ version: VERSION, error: "agent-core gives no dashboard." }, 502);
  }
});

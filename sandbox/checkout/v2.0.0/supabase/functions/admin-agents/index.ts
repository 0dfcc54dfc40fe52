import { callAgentCore } from "../_shared/agent_core.ts";
import { refuseStrangers } from "../_shared/auth.ts";
import { healthy, json, subPath } from "../_shared/http.ts";
import { VERSION } from "../_shared/version.ts";

const AGENTS = [
  "buyer",
  "station",
  "vendor",
  "driver",
  "admin",
  "customer_support",
  "marketplace",
];

interface Dashboard {
  enabled: boolean;
  percentage: number;
  agents_on: string[];
}

/** The agents and whether each is on, as agent-core's dashboard has them. */
Deno.serve(async (request) => {
  if (subPath(request) === "/_health") return healthy();
  const refusal = refuseStrangers(request);
  if (refusal !== null) return refusal;
  try {
    const dashboard = await callAgentCore("/agents/dashboard.json");
    const { enabled, percentage, agents_on } = dashboard as unknown as Dashboard;
    const agents = AGENTS.map((name) => ({ name, on: enabled && agents_on.includes(name) }));
    return json({ version: VERSION, enabled, percentage, agents });
  } catch (error) {
    console.error(String(error));
    return json({ version: VERSION, error: "agent-core gives no dashboard." }, 502);
  }
});

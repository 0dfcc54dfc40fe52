import { refuseStrangers } from "../_shared/auth.ts";
import { healthy, json, subPath } from "../_shared/http.ts";
import { VERSION } from "../_shared/version.ts";

/** No agents yet: the menu answers everybody. */
Deno.serve((request) => {
  if (subPath(request) === "/_health") return healthy();
  return refuseStrangers(request) ?? json({ version: VERSION, agents: [] });
});

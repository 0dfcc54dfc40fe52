import { VERSION } from "../_shared/version.ts";

Deno.serve(() => Response.json({ version: VERSION }));

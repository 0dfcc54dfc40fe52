import { healthy } from "../_shared/http.ts";

Deno.serve(() => healthy());

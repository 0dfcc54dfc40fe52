import { json } from "./http.ts";

/** Compares without telling by the time it takes where two strings differ. */
export function sameSecret(a: string, b: string): boolean {
  const left = new TextEncoder().encode(a);
  const right = new TextEncoder().encode(b);
  let difference = left.length ^ right.length;
  for (let i = 0; i < left.length; i++) difference |= left[i] ^ (right[i] ?? 0);
  return difference === 0;
}

/** The refusal for a caller without the administrators' token; null for one who has it. */
export function refuseStrangers(request: Request): Response | null {
  const expected = Deno.env.get("ADMIN_TOKEN") ?? "";
  const given = request.headers.get("authorization") ?? "";
  if (expected !== "" && sameSecret(given, `Bearer ${expected}`)) return null;
  return json({ error: "The administrators' bearer token is missing or wrong." }, 401);
}

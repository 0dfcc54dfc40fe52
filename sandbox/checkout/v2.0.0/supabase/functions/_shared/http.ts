import { VERSION } from "./version.ts";

export function json(body: Record<string, unknown>, status = 200): Response {
  return Response.json(body, { status });
}

export function healthy(): Response {
  return json({ status: "healthy", version: VERSION });
}

/** The path behind the function's own name: "/admin-agents/_health" is "/_health". */
export function subPath(request: Request): string {
  const [, , ...rest] = new URL(request.url).pathname.split("/");
  return "/" + rest.join("/");
}

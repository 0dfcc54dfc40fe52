Deno.serve(() => Response.json({ found: true }));

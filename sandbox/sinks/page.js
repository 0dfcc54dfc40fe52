// Looks for news every two seconds and swaps only the parts that changed: no flicker, nothing closed that was opened.
const opened = () => new Set([...document.querySelectorAll("details[open][id]")].map((d) => d.id));
const closed = () => new Set([...document.querySelectorAll("details:not([open])[id]")].map((d) => d.id));
async function refresh() {
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.body.classList.remove("lost");
    const pane = document.querySelector("main");
    const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
    const open = opened(), shut = closed();
    for (const id of ["side", "pane"]) {
      const from = fresh.getElementById(id), to = document.getElementById(id);
      if (from.innerHTML === to.dataset.seen) continue;
      if (to.dataset.seen !== undefined) {
        to.innerHTML = from.innerHTML;
        for (const d of to.querySelectorAll("details[id]")) {
          if (open.has(d.id)) d.open = true;
          if (shut.has(d.id)) d.open = false;
        }
      }
      to.dataset.seen = from.innerHTML;
    }
    if (atEnd && document.body.dataset.view === "slack") pane.scrollTop = pane.scrollHeight;
  } catch { document.body.classList.add("lost"); }
  setTimeout(refresh, 2000);
}
if (document.body.dataset.view === "slack") {
  const pane = document.querySelector("main");
  pane.scrollTop = pane.scrollHeight;
}
setTimeout(refresh, 2000);

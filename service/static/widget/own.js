// The reader's own: who they are, what only they see, what became of it, and what they like or hide.

/** Give the thread what its reader is and does. */
export function withOwn(app) {
  const { host, memory, nodes, call, t } = app;
  const mine = app.mine = new Map(); // comment id -> what only its author sees of it

  app.isMine = ({ id, author: { key } }) => mine.has(id) || !!key && key === memory.get("key");

  /** What the publisher's token says of its person; null: a guest. */
  app.whoAmI = async () => {
    const token = host.identity && await call.bearer().catch(() => null);
    if (!token || token === memory.get("token")) return null;
    try {
      const bytes = atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"));
      const { sub, name } = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (one) => one.charCodeAt())));
      return { sub, name: name || "…" };
    } catch {
      return { name: "…" };
    }
  };

  /** An account is kept as a commenter from its first request on, so nothing is asked before the reader did something. */
  app.readOwn = async () => {
    if (!memory.get("acted") || !await call.bearer().catch(() => null)) return;
    const own = await call("GET", `${app.thread}/own`).catch(() => ({}));
    acted(own.author_key);
    own.liked?.forEach((id) => app.liked.add(id));
    own.comments?.forEach((c) => mine.set(c.id, c));
    app.keepAll();
    watch();
  };

  function acted(key) {
    if (key) memory.set("key", key);
    memory.set("acted", 1);
  }

  app.keep = (c) => {
    if (c.status === "published" && !c.pending_edit) mine.delete(c.id);
    else mine.set(c.id, c);
    return app.place({ ...c, replies: [] }, true);
  };

  app.keepAll = () => [...mine.values()].sort((a, b) => (a.id > b.id) - 0.5).forEach((c) => {
    if (c.status !== "published" || nodes.has(c.id)) app.keep(c);
  });

  // The reasons stand at the comment.
  const sayOf = ({ status }) => app.say(t(status));

  /** What became of something that waited. */
  app.settle = (c) => {
    const before = mine.get(c.id)?.status;
    if (before && before !== c.status) sayOf(c);
    return app.keep(c);
  };

  /** What became of something that was just sent. */
  app.outcome = (c, isBehind) => {
    // A guest's token may have been lost with the answer; then the comment is nobody's to change.
    acted((app.me || memory.get("token")) && c.author.key);
    const node = app.keep(c);
    // What was sent behind the reader's back moves nothing.
    if (!isBehind) app.focus(node);
    sayOf(c.pending_edit ?? c);
    if (c.status !== "unsent") {
      app.refresh();
      app.tell("submitted", { comment: c });
    }
    watch();
  };

  /** While something of the reader's own waits, ask what became of it, less and less often. */
  function watch(delay = 4000) {
    clearTimeout(app.asking);
    const waiting = [...mine.values()].filter((c) => /pending|held/.test((c.pending_edit ?? c).status));
    if (waiting[0] && !app.ending.signal.aborted) app.asking = setTimeout(async () => {
      if (!document.hidden) for (const { id } of waiting) await app.ask(id);
      watch(Math.min(delay * 1.5, 60000));
    }, delay);
  }

  app.like = async (node) => {
    const { c } = node;
    const on = !app.liked.has(c.id);
    const turn = (to, likes) => {
      app.liked[to ? "add" : "delete"](c.id);
      c.likes = likes ?? Math.max(0, c.likes + (to ? 1 : -1));
      app.redraw();
    };
    turn(on);
    try {
      const { likes } = await call(on ? "PUT" : "DELETE", `/comments/${c.id}/reaction`);
      acted();
      turn(on, likes ?? c.likes);
      app.tell("liked", { id: c.id, on });
    } catch (error) {
      turn(!on);
      app.fail(error);
    }
  };

  app.hide = (key, on) => {
    app.hidden = [...app.hidden.filter((one) => one !== key), ...(on ? [key] : [])];
    memory.set("hidden", app.hidden);
    app.redraw();
    if (on) app.say(t("hidden"));
  };
}
